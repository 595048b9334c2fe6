"""Activities on task groups, for the engine."""

from collections.abc import Sequence
from datetime import timedelta

from fractal_common.database.base import utcnow
from fractal_common.database.models import OutboxMessage, PackageArchive, Task, TaskGroup, TaskGroupActivity
from fractal_common.messages import command_subject
from sqlalchemy import delete, exists, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer


async def lock(session: AsyncSession, activity_id: int) -> TaskGroupActivity | None:
    return await session.scalar(select(TaskGroupActivity).where(TaskGroupActivity.id == activity_id).with_for_update())


async def group(session: AsyncSession, group_id: int | None) -> TaskGroup | None:
    if group_id is None:
        return None
    statement = select(TaskGroup).where(TaskGroup.id == group_id).options(undefer(TaskGroup.env_info))
    return await session.scalar(statement)


async def archive(session: AsyncSession, activity_id: int) -> PackageArchive | None:
    statement = select(PackageArchive).where(PackageArchive.activity_id == activity_id)
    return await session.scalar(statement.options(undefer(PackageArchive.content)))


async def forget_archive(session: AsyncSession, activity_id: int) -> None:
    await session.execute(delete(PackageArchive).where(PackageArchive.activity_id == activity_id))


async def delete_group(session: AsyncSession, group_id: int) -> None:
    """With its tasks; activities stay, without their group."""
    await session.execute(delete(Task).where(Task.taskgroupv2_id == group_id))
    await session.execute(delete(TaskGroup).where(TaskGroup.id == group_id))


async def repeat_silent(session: AsyncSession, resources: Sequence[int], silence: timedelta) -> int:
    """Say the command again of open activities for which nothing was said for a while; returns for how many."""
    recent = exists().where(
        OutboxMessage.activity_id == TaskGroupActivity.id, OutboxMessage.created_at > utcnow() - silence
    )
    statement = (
        select(TaskGroupActivity.id, TaskGroupActivity.resource_id, TaskGroupActivity.action)
        .where(
            TaskGroupActivity.status.in_(["pending", "ongoing"]),
            TaskGroupActivity.command.is_not(None),
            TaskGroupActivity.resource_id.in_(resources),
            ~recent,
        )
        .with_for_update(skip_locked=True)
    )
    rows = [
        {"subject": command_subject(resource_id, f"environment.{action}"), "activity_id": activity_id}
        for activity_id, resource_id, action in await session.execute(statement)
        if resource_id is not None
    ]
    if rows:
        await session.execute(insert(OutboxMessage), rows)
    return len(rows)
