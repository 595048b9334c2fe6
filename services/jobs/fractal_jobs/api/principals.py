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


async def _data(request: Request) -> Database:
    return database(request)


Data = Annotated[Database, Depends(_data)]
"""For who needs more than the one session of a request."""

Bearer = Annotated[str | None, Security(oauth2_scheme)]
Cookie = Annotated[str | None, Security(cookie_scheme)]


def _named(request: Request) -> list[int]:
    """Ids of the request's valid tokens, in the order in which they count."""
    key = app_settings().JWT_SECRET_KEY.get_secret_value()
    return [user_id for token in candidate_tokens(request) if (user_id := token_user_id(token, key=key)) is not None]


async def _active(request: Request, ids: list[int]) -> Principal:
    recent: RecentAccounts[Principal] = request.app.state.recent
    if ids:
        look = recent.reading()
        async with database(request).reading() as session:
            found = await principals.find(session, ids)
        for user_id in ids:
            if user_id in found:
                principal = Principal(*found[user_id])
                if principal.user.is_active:
                    look.keep(user_id, principal)
                    return principal
                break
    raise HTTPException(401, "Unauthorized")


async def _recently_active(request: Request, ids: list[int]) -> Principal:
    recent: RecentAccounts[Principal] = request.app.state.recent
    return (recent.get(ids[0]) if ids else None) or await _active(request, ids)


def _with_profile(principal: Principal) -> Principal:
    if not principal.user.is_verified:
        raise HTTPException(403, "Forbidden")
    if principal.user.profile_id is None:
        raise HTTPException(403, "Forbidden access (user.is_verified=True user.profile_id=None).")
    return principal


# One dependency a class, not a chain of them: each level costs every request as much as a lookup in the database.
# The schemes are named for the OpenAPI document; `candidate_tokens` reads the request itself.


async def _guest(request: Request, bearer: Bearer = None, cookie: Cookie = None) -> Principal:
    return _with_profile(await _recently_active(request, _named(request)))


async def _writer(request: Request, bearer: Bearer = None, cookie: Cookie = None) -> Principal:
    principal = _with_profile(await _active(request, _named(request)))
    if principal.user.is_guest:
        raise HTTPException(403, "This feature is not available for guest users.")
    return principal


async def _superuser(request: Request, bearer: Bearer = None, cookie: Cookie = None) -> Principal:
    principal = await _active(request, _named(request))
    if not principal.user.is_superuser:
        raise HTTPException(403, "Forbidden")
    return principal


Standing = Callable[[], Awaitable[bool]]


async def _standing(request: Request) -> Standing:
    ids = _named(request)

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
