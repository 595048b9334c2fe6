"""Resources and profiles."""

from collections.abc import Sequence

from fractal_common.database.models import Profile, Resource, User
from sqlalchemy import exists, func, select
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
