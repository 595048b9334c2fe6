"""Users with their profile and resource, for every request."""

from collections.abc import Sequence

from fractal_common.database.models import Profile, Resource, User
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession


async def find(session: AsyncSession, ids: Sequence[int]) -> dict[int, tuple[User, Profile | None, Resource | None]]:
    """One statement, whatever the number of tokens."""
    statement = (
        select(User, Profile, Resource)
        .outerjoin(Profile, Profile.id == User.profile_id)
        .outerjoin(Resource, Resource.id == Profile.resource_id)
        .where(User.id.in_(ids))
    )
    return {row[0].id: (row[0], row[1], row[2]) for row in await session.execute(statement)}
