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
from pydantic_core import from_json
from sqlalchemy import Text, cast, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession


async def get(session: AsyncSession, user_id: int, *, lock: bool = False) -> User | None:
    return await session.get(User, user_id, with_for_update=lock)


async def find(session: AsyncSession, ids: Sequence[int]) -> dict[int, User]:
    return {user.id: user for user in await session.scalars(select(User).where(User.id.in_(ids)))}


async def by_email(session: AsyncSession, email: str) -> User | None:
    """Case does not matter."""
    statement = select(User).where(func.lower(User.email) == email.lower()).order_by(User.id).limit(1)
    return await session.scalar(statement)


async def any_bcrypt(session: AsyncSession) -> bool:
    """Whether somebody's password still has a bcrypt hash."""
    return bool(await session.scalar(select(exists().where(User.hashed_password.like("$2%")))))


async def replace_hash(session: AsyncSession, user_id: int, *, old: str, new: str) -> None:
    """Unless the password was changed meanwhile."""
    await session.execute(
        update(User).where(User.id == user_id, User.hashed_password == old).values(hashed_password=new)
    )


async def reserve_email(session: AsyncSession, email: str) -> User | None:
    """Who has the address, if anybody; nobody else can take it before this transaction ends, in whatever case."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(email.lower(), 0))))
    return await by_email(session, email)


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


async def zarr_dirs(session: AsyncSession, user_id: int) -> list[str]:
    """Directories of the datasets that the user reaches through accepted links, each once.

    One value instead of a row a dataset: with ten thousand of them that takes a third of the time.
    """
    statement = (
        select(cast(func.json_agg(Dataset.zarr_dir), Text))
        .join(ProjectMember, ProjectMember.project_id == Dataset.project_id)
        .where(ProjectMember.user_id == user_id, ProjectMember.is_verified.is_(True))
    )
    found = await session.scalar(statement)
    return list(dict.fromkeys(from_json(found))) if found is not None else []


async def any_superuser(session: AsyncSession) -> str | None:
    return await session.scalar(select(User.email).where(User.is_superuser.is_(True)).order_by(User.id).limit(1))
