"""Who is calling, and which class of caller a route needs.

Who changes something, and every administrator, is read afresh; who only reads, at least every few seconds (`recent`).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request, Security
from fractal_common.database.models import Profile, Resource, User
from fractal_common.database.sessions import Database
from fractal_common.security import candidate_tokens, cookie_scheme, oauth2_scheme, token_user_id
from fractal_common.settings import app_settings

from fractal_jobs.api.recent import RecentAccounts
from fractal_jobs.queries import principals


@dataclass(frozen=True)
class Principal:
    """A logged-in user with the profile and resource that work is done with."""

    user: User
    profile: Profile | None
    resource: Resource | None

    @property
    def id(self) -> int:
        return self.user.id

    @property
    def resource_id(self) -> int | None:
        return self.resource.id if self.resource else None


def database(request: Request) -> Database:
    return request.app.state.database


def _named(
    request: Request,
    bearer: Annotated[str | None, Security(oauth2_scheme)] = None,
    cookie: Annotated[str | None, Security(cookie_scheme)] = None,
) -> list[int]:
    """Ids of the request's valid tokens, in the order in which they count."""
    key = app_settings().JWT_SECRET_KEY.get_secret_value()
    return [user_id for token in candidate_tokens(request) if (user_id := token_user_id(token, key=key)) is not None]


Named = Annotated[list[int], Depends(_named)]


async def _active(request: Request, ids: Named) -> Principal:
    recent: RecentAccounts[Principal] = request.app.state.recent
    if ids:
        reading = recent.reading()
        async with database(request).session() as session:
            found = await principals.find(session, ids)
        for user_id in ids:
            if user_id in found:
                principal = Principal(*found[user_id])
                if principal.user.is_active:
                    reading.keep(user_id, principal)
                    return principal
                break
    raise HTTPException(401, "Unauthorized")


async def _recently_active(request: Request, ids: Named) -> Principal:
    recent: RecentAccounts[Principal] = request.app.state.recent
    return (recent.get(ids[0]) if ids else None) or await _active(request, ids)


def _with_profile(principal: Principal) -> Principal:
    if not principal.user.is_verified:
        raise HTTPException(403, "Forbidden")
    if principal.user.profile_id is None:
        raise HTTPException(403, "Forbidden access (user.is_verified=True user.profile_id=None).")
    return principal


async def _guest(principal: Annotated[Principal, Depends(_recently_active)]) -> Principal:
    return _with_profile(principal)


async def _writer(principal: Annotated[Principal, Depends(_active)]) -> Principal:
    _with_profile(principal)
    if principal.user.is_guest:
        raise HTTPException(403, "This feature is not available for guest users.")
    return principal


async def _superuser(principal: Annotated[Principal, Depends(_active)]) -> Principal:
    if not principal.user.is_superuser:
        raise HTTPException(403, "Forbidden")
    return principal


Standing = Callable[[], Awaitable[bool]]


def _standing(request: Request, ids: Named) -> Standing:
    async def holds() -> bool:
        try:
            _with_profile(await _recently_active(request, ids))
        except HTTPException:
            return False
        return True

    return holds


StillReader = Annotated[Standing, Depends(_standing)]
"""For an answer that takes long: asked in between, whether the caller may still read."""
Guest = Annotated[Principal, Depends(_guest)]
"""Active, verified, with a profile: may read."""
Writer = Annotated[Principal, Depends(_writer)]
"""As Guest, and not a guest account: may write."""
Superuser = Annotated[Principal, Depends(_superuser)]
"""Active superuser; verification and profile do not matter."""
