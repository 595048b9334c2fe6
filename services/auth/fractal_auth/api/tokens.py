"""`/auth/token/`: log in and out."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from fastapi.security import OAuth2PasswordRequestForm
from fractal_common.security import issue_token
from fractal_common.settings import app_settings

from fractal_auth.api.dependencies import Active, Session
from fractal_auth.api.schemas import BearerResponse
from fractal_auth.domain.passwords import verify
from fractal_auth.queries import users

login_router = APIRouter(prefix="/token")
logout_router = APIRouter(prefix="/token")


@login_router.post("/login/", response_model=BearerResponse)
async def login(session: Session, form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> object:
    user = await users.by_email(session, form.username.replace("\0", ""))
    valid, updated = await verify(form.password, user.hashed_password if user else None)
    if user is None or not valid or not user.is_active:
        raise HTTPException(400, "LOGIN_BAD_CREDENTIALS")
    if updated is not None:
        user.hashed_password = updated
    settings = app_settings()
    token = issue_token(user.id, key=settings.JWT_SECRET_KEY.get_secret_value(), lifetime_s=settings.JWT_EXPIRE_SECONDS)
    return BearerResponse(access_token=token, token_type="bearer")  # noqa: S106 - a scheme, not a secret


@logout_router.post("/logout/", status_code=204)
async def logout(user: Active) -> None:
    """Tokens are not kept: one works until it expires."""
