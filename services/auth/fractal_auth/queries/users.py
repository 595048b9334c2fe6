"""Users and what belongs to them."""

from collections.abc import Sequence

from fractal_common.database.models import (
    Dataset,
    GroupMember,
    OAuthAccount,
    Profile,
    ProjectMember,
    Resource,
    User,
    UserGroup,
)
from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession


async def get(session: AsyncSession, user_id: int) -> User | None:
    return await session.get(User, user_id)


async def find(session: AsyncSession, ids: Sequence[int]) -> dict[int, User]:
    return {user.id: user for user in await session.scalars(select(User).where(User.id.in_(ids)))}


async def by_email(session: AsyncSession, email: str) -> User | None:
    """Case does not matter."""
    statement = select(User).where(func.lower(User.email) == email.lower()).order_by(User.id).limit(1)
    return await session.scalar(statement)


async def list_all(session: AsyncSession, profile_id: int | None) -> Sequence[User]:
    statement = select(User).order_by(User.id)
    if profile_id is not None:
        statement = statement.where(User.profile_id == profile_id)
    return list(await session.scalars(statement))


async def oauth_accounts(session: AsyncSession, ids: Sequence[int]) -> dict[int, list[OAuthAccount]]:
    found: dict[int, list[OAuthAccount]] = {user_id: [] for user_id in ids}
    statement = select(OAuthAccount).where(OAuthAccount.user_id.in_(ids)).order_by(OAuthAccount.id)
    for account in await session.scalars(statement):
        found[account.user_id].append(account)
    return found


async def groups(session: AsyncSession, user_id: int) -> list[tuple[int, str]]:
    """Oldest membership first."""
    statement = (
        select(UserGroup.id, UserGroup.name)
        .join(GroupMember, GroupMember.group_id == UserGroup.id)
        .where(GroupMember.user_id == user_id)
        .order_by(GroupMember.timestamp_created, UserGroup.id)
    )
    return [(row[0], row[1]) for row in await session.execute(statement)]


async def profile_exists(session: AsyncSession, profile_id: int) -> bool:
    return bool(await session.scalar(select(exists().where(Profile.id == profile_id))))


async def profile_info(session: AsyncSession, profile_id: int | None) -> tuple[str, str, str | None] | None:
    """Names of resource and profile, and the Unix user."""
    statement = (
        select(Resource.name, Profile.name, Profile.username)
        .join(Resource, Resource.id == Profile.resource_id)
        .where(Profile.id == profile_id)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1], row[2])


async def zarr_dirs(session: AsyncSession, user_id: int, *, only_owned: bool = False) -> list[str]:
    """Of the datasets that the user reaches through accepted links."""
    statement = (
        select(Dataset.zarr_dir)
        .join(ProjectMember, ProjectMember.project_id == Dataset.project_id)
        .where(ProjectMember.user_id == user_id, ProjectMember.is_verified.is_(True))
        .order_by(Dataset.id)
    )
    if only_owned:
        statement = statement.where(ProjectMember.is_owner.is_(True))
    return list(await session.scalars(statement))


async def any_superuser(session: AsyncSession) -> str | None:
    return await session.scalar(select(User.email).where(User.is_superuser.is_(True)).order_by(User.id).limit(1))
