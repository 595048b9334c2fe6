"""`/api/alive/` and `/api/settings/`."""

from typing import Any

from fastapi import APIRouter
from fractal_common import REFERENCE_VERSION, settings
from pydantic import BaseModel

from fractal_jobs.api.principals import Superuser

router = APIRouter(prefix="/api")


@router.get("/alive/")
async def alive() -> dict[str, Any]:
    """Needs neither database nor bus."""
    return {"alive": True, "version": REFERENCE_VERSION}


def _dump(group: BaseModel) -> Any:
    """As this process has them since its start; secrets print as asterisks."""
    return group.model_dump(mode="json")


@router.get("/settings/app/")
async def app_settings(principal: Superuser) -> Any:
    return _dump(settings.app_settings())


@router.get("/settings/database/")
async def database_settings(principal: Superuser) -> Any:
    return _dump(settings.database_settings())


@router.get("/settings/email/")
async def email_settings(principal: Superuser) -> Any:
    return _dump(settings.email_settings())


@router.get("/settings/oauth/")
async def oauth_settings(principal: Superuser) -> Any:
    return _dump(settings.oauth_settings())
