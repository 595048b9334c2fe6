"""`/auth/token/`: log in and out."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.security import OAuth2PasswordRequestForm
from fractal_common.database.models import User
from fractal_common.database.sessions import Database
from fractal_common.security import issue_token
from fractal_common.settings import LoginSettings, app_settings, load
from fractal_common.telemetry import get_logger

from fractal_auth.api.dependencies import Active
from fractal_auth.api.schemas import BearerResponse, ErrorModel
from fractal_auth.domain.passwords import verify
from fractal_auth.domain.throttling import WINDOW_S, Counters, counters
from fractal_auth.queries import logins, users

log = get_logger(__name__)
login_router = APIRouter(prefix="/token")
logout_router = APIRouter(prefix="/token")


@login_router.post(
    "/login/", response_model=BearerResponse, name="auth:bearer_jwt.login", responses={400: {"model": ErrorModel}}
)
async def login(request: Request, form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> object:
    """The attempt is counted before the password is looked at, and no connection is held while that is."""
    database: Database = request.app.state.database
    email = form.username.replace("\0", "")
    attempt = _counters(request, email)
    async with database.transaction() as session:
        counts = await logins.count(session, attempt.limits, window_s=WINDOW_S)
        await logins.drop_expired(session, window_s=WINDOW_S)
        user = await users.by_email(session, email)
        any_legacy = await users.any_bcrypt(session)
    if attempt.are_exceeded(counts):
        log.warning("login.throttled", address=_address(request), attempts=max(counts.values()))
        raise HTTPException(400, "LOGIN_BAD_CREDENTIALS")
    valid, updated = await verify(form.password, user.hashed_password if user else None, any_bcrypt=any_legacy)
    if user is None or not valid or not user.is_active:
        raise HTTPException(400, "LOGIN_BAD_CREDENTIALS")
    await _record_success(database, attempt, user, updated)
    settings = app_settings()
    token = issue_token(user.id, key=settings.JWT_SECRET_KEY.get_secret_value(), lifetime_s=settings.JWT_EXPIRE_SECONDS)
    return BearerResponse(access_token=token, token_type="bearer")  # noqa: S106 - a scheme, not a secret


async def _record_success(database: Database, attempt: Counters, user: User, updated: str | None) -> None:
    async with database.transaction() as session:
        await logins.succeeded(session, attempt.limits, attempt.own)
        if updated is not None:
            await users.replace_hash(session, user.id, old=user.hashed_password, new=updated)


def _counters(request: Request, email: str) -> Counters:
    limits = load(LoginSettings)
    return counters(
        email,
        _address(request),
        per_account=limits.FRACTAL_LOGIN_ATTEMPTS_PER_ACCOUNT,
        per_address=limits.FRACTAL_LOGIN_ATTEMPTS_PER_ADDRESS,
        secret=app_settings().JWT_SECRET_KEY.get_secret_value(),
    )


def _address(request: Request) -> str:
    """Of the client; behind a gateway that uvicorn trusts, the one that the gateway names."""
    return request.client.host if request.client else "unknown"


@logout_router.post(
    "/logout/",
    status_code=204,
    name="auth:bearer_jwt.logout",
    responses={401: {"description": "No valid token, or the user is not active"}},
)
async def logout(user: Active) -> None:
    """Tokens are not kept: one works until it expires."""
