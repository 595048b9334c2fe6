"""Resources and profiles."""

from collections.abc import Sequence

from fractal_common.database.base import JsonObject
from fractal_common.database.models import Profile, Resource, User
from sqlalchemy import exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession


async def resources(session: AsyncSession) -> Sequence[Resource]:
    return list(await session.scalars(select(Resource).order_by(Resource.id)))


async def resource(session: AsyncSession, resource_id: int) -> Resource | None:
    return await session.get(Resource, resource_id)


async def resource_named(session: AsyncSession, name: str) -> bool:
    return bool(await session.scalar(select(exists().where(Resource.name == name))))


async def profiles(session: AsyncSession, resource_id: int | None = None) -> Sequence[Profile]:
    statement = select(Profile).order_by(Profile.id)
    if resource_id is not None:
        statement = statement.where(Profile.resource_id == resource_id)
    return list(await session.scalars(statement))


async def profile(session: AsyncSession, profile_id: int) -> Profile | None:
    return await session.get(Profile, profile_id)


async def profile_named(session: AsyncSession, name: str) -> bool:
    return bool(await session.scalar(select(exists().where(Profile.name == name))))


async def users_of(session: AsyncSession, profile_id: int) -> int:
    statement = select(func.count()).select_from(User).where(User.profile_id == profile_id)
    return await session.scalar(statement) or 0


async def prevent_submissions(session: AsyncSession, value: bool, *, name: str | None = None) -> list[str]:
    """Of the named resource, or of all; returns which they are."""
    statement = update(Resource).values(prevent_new_submissions=value).returning(Resource.name)
    if name is not None:
        statement = statement.where(Resource.name == name)
    return list(await session.scalars(statement))


async def create_for_everybody(
    session: AsyncSession, resource: JsonObject, profile: JsonObject, *, only_without: bool = False
) -> tuple[int, list[str]]:
    """The first resource and its profile, which every user gets (or those without one); returns its id and them."""
    row = Resource(**resource)
    session.add(row)
    await session.flush()
    profile_row = Profile(**profile, resource_id=row.id)
    session.add(profile_row)
    await session.flush()
    statement = update(User).values(profile_id=profile_row.id).returning(User.email)
    if only_without:
        statement = statement.where(User.profile_id.is_(None))
    return profile_row.id, list(await session.scalars(statement))
