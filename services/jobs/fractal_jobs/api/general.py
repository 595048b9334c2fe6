"""`/api/alive/` and `/api/settings/`."""

from typing import Any

from fastapi import APIRouter
from fractal_common import REFERENCE_VERSION
from fractal_common.settings import AppSettings, DatabaseSettings, EmailSettings, OAuthSettings, load
from pydantic import BaseModel

from fractal_jobs.api.principals import Superuser

router = APIRouter(prefix="/api")


@router.get("/alive/")
async def alive() -> dict[str, Any]:
    """Needs neither database nor bus."""
    return {"alive": True, "version": REFERENCE_VERSION}


def _dump(settings: BaseModel) -> Any:
    """Secrets print as asterisks."""
    return settings.model_dump(mode="json")


@router.get("/settings/app/")
async def app_settings(principal: Superuser) -> Any:
    return _dump(load(AppSettings))


@router.get("/settings/database/")
async def database_settings(principal: Superuser) -> Any:
    return _dump(load(DatabaseSettings))


@router.get("/settings/email/")
async def email_settings(principal: Superuser) -> Any:
    return _dump(load(EmailSettings))


@router.get("/settings/oauth/")
async def oauth_settings(principal: Superuser) -> Any:
    return _dump(load(OAuthSettings))
