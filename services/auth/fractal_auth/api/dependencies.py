"""Who is calling, and the transaction of a request."""

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import Depends, HTTPException, Request, Security
from fractal_common.database.models import User
from fractal_common.database.sessions import Database
from fractal_common.security import candidate_tokens, cookie_scheme, oauth2_scheme, token_user_id
from fractal_common.settings import app_settings
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_auth.announcing import Announcer
from fractal_auth.queries import users

CHANGED_USERS = "changed_users"


async def _session(request: Request) -> AsyncGenerator[AsyncSession]:
    database: Database = request.app.state.database
    users_changed: set[int] = set()
    try:
        async with database.transaction() as session:
            session.info[CHANGED_USERS] = users_changed
            yield session
    except IntegrityError as error:
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        raise HTTPException(422, f"Conflict with a concurrent change (constraint {constraint}).") from None

    if users_changed:
        announcer: Announcer = request.app.state.announcer
        await announcer.users_changed(users_changed)


def changed(session: AsyncSession, user_id: int) -> None:
    """Other services are told when the transaction is committed."""
    session.info[CHANGED_USERS].add(user_id)


Session = Annotated[AsyncSession, Depends(_session, scope="function")]


async def _active(
    request: Request,
    session: Session,
    bearer: Annotated[str | None, Security(oauth2_scheme)] = None,
    cookie: Annotated[str | None, Security(cookie_scheme)] = None,
) -> User:
    key = app_settings().JWT_SECRET_KEY.get_secret_value()
    ids = [user_id for token in candidate_tokens(request) if (user_id := token_user_id(token, key=key)) is not None]
    found = await users.find(session, ids) if ids else {}
    user = next((found[user_id] for user_id in ids if user_id in found), None)
    if user is None or not user.is_active:
        raise HTTPException(401, "Unauthorized")
    return user


Active = Annotated[User, Depends(_active)]


async def _verified(user: Active) -> User:
    if not user.is_verified:
        raise HTTPException(403, "Forbidden")
    return user


async def _superuser(user: Active) -> User:
    if not user.is_superuser:
        raise HTTPException(403, "Forbidden")
    return user


Verified = Annotated[User, Depends(_verified)]
Superuser = Annotated[User, Depends(_superuser)]
