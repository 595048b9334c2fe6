"""User groups and memberships."""

from collections.abc import Sequence

from fractal_common.database.models import GroupMember, UserGroup
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession


async def list_all(session: AsyncSession) -> Sequence[UserGroup]:
    return list(await session.scalars(select(UserGroup).order_by(UserGroup.id)))


async def get(session: AsyncSession, group_id: int) -> UserGroup | None:
    return await session.get(UserGroup, group_id)


async def by_name(session: AsyncSession, name: str) -> UserGroup | None:
    return await session.scalar(select(UserGroup).where(UserGroup.name == name))


async def create(session: AsyncSession, name: str) -> UserGroup | None:
    """None if the name is taken, were it by a request at the same moment."""
    statement = insert(UserGroup).values(name=name).on_conflict_do_nothing().returning(UserGroup)
    return await session.scalar(statement)


async def members(session: AsyncSession, group_ids: Sequence[int]) -> dict[int, list[int]]:
    statement = (
        select(GroupMember.group_id, GroupMember.user_id)
        .where(GroupMember.group_id.in_(group_ids))
        .order_by(GroupMember.timestamp_created, GroupMember.user_id)
    )
    found: dict[int, list[int]] = {group_id: [] for group_id in group_ids}
    for group_id, user_id in await session.execute(statement):
        found[group_id].append(user_id)
    return found


async def existing(session: AsyncSession, ids: Sequence[int]) -> set[int]:
    return set(await session.scalars(select(UserGroup.id).where(UserGroup.id.in_(ids))))


async def add_members(session: AsyncSession, group_ids: Sequence[int], user_id: int) -> int:
    """How many memberships are new; those that exist keep their time."""
    if not group_ids:
        return 0
    values = [{"group_id": group_id, "user_id": user_id} for group_id in group_ids]
    statement = insert(GroupMember).values(values).on_conflict_do_nothing().returning(GroupMember.group_id)
    return len((await session.scalars(statement)).all())


async def remove_members(session: AsyncSession, group_ids: Sequence[int], user_id: int) -> int:
    """How many memberships there were."""
    statement = (
        delete(GroupMember)
        .where(GroupMember.user_id == user_id, GroupMember.group_id.in_(group_ids))
        .returning(GroupMember.group_id)
    )
    return len((await session.scalars(statement)).all())
