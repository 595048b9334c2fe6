"""`/admin/v2/impersonate/` and `/admin/v2/users-csv/`: what superusers do with other people's accounts."""

import csv
import io
from typing import Any

from fastapi import APIRouter, HTTPException, Response
from fractal_common.security import IMPERSONATION_LIFETIME_S, issue_token
from fractal_common.settings import app_settings
from fractal_common.telemetry import get_logger
from pydantic import AwareDatetime

from fractal_jobs.api.access import PathId, known
from fractal_jobs.api.principals import Superuser
from fractal_jobs.api.transactions import Reading
from fractal_jobs.queries import accounts

log = get_logger(__name__)
router = APIRouter(prefix="/admin/v2", tags=["Admin area"])


@router.get("/impersonate/{user_id}/")
async def impersonate_user(principal: Superuser, session: Reading, user_id: PathId) -> Any:
    """A token of somebody else, which works like their own; who asked for it stays in the log."""
    email = await accounts.email(session, known(user_id))
    if email is None:
        raise HTTPException(404, f"User {user_id} not found.")
    log.info("user.impersonated", superuser=principal.user.email, user=email)
    key = app_settings().JWT_SECRET_KEY.get_secret_value()
    token = issue_token(user_id, key=key, lifetime_s=IMPERSONATION_LIFETIME_S)
    return {"access_token": token, "token_type": "bearer"}


@router.get("/users-csv/", response_class=Response)
async def list_users_as_csv(
    principal: Superuser,
    session: Reading,
    exclude_zero_jobs: bool = False,
    start_timestamp_min: AwareDatetime | None = None,
    start_timestamp_max: AwareDatetime | None = None,
) -> Response:
    """Everybody with a profile, and how many jobs they started in the interval."""
    rows = await accounts.activity(session, start_timestamp_min, start_timestamp_max)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(accounts.Activity._fields)
    for row in rows:
        if row.num_jobs or not exclude_zero_jobs:
            writer.writerow("|".join(cell) if isinstance(cell, list) else cell for cell in row)
    return Response(text.getvalue(), media_type="text/csv", headers={"Content-Disposition": "attachment"})
