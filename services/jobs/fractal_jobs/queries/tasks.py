"""Tasks, task groups and their activities."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fractal_common.database.models import (
    Execution,
    Job,
    Task,
    TaskGroup,
    TaskGroupActivity,
    User,
    UserGroup,
    WorkflowTask,
)
from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from fractal_jobs.queries.access import visible_groups
from fractal_jobs.queries.candidates import shared_since

SLIM = (
    defer(Task.args_schema_non_parallel),
    defer(Task.args_schema_parallel),
    defer(Task.meta_non_parallel),
    defer(Task.meta_parallel),
)
"""What lists do not show is not loaded: argument schemas are the bulk of a task."""


async def list_visible(session: AsyncSession, user_id: int, resource_id: int | None) -> Sequence[Task]:
    groups = visible_groups(user_id, resource_id).with_only_columns(TaskGroup.id)
    statement = select(Task).where(Task.taskgroupv2_id.in_(groups)).order_by(Task.id).options(*SLIM)
    return list(await session.scalars(statement))


def in_use() -> ColumnElement[bool]:
    """Condition on TaskGroup: some workflow, of anybody, has one of its tasks."""
    return exists().where(Task.taskgroupv2_id == TaskGroup.id, WorkflowTask.task_id == Task.id)


async def groups(
    session: AsyncSession, user_id: int, resource_id: int | None, *, only_active: bool, only_owner: bool
) -> list[tuple[TaskGroup, str, bool, datetime | None]]:
    """Visible groups with owner's e-mail, whether they are in use, and since when the user shares them."""
    statement = (
        visible_groups(user_id, resource_id)
        .add_columns(User.email, in_use(), shared_since(user_id))
        .join(User, User.id == TaskGroup.user_id)
        .order_by(TaskGroup.pkg_name, TaskGroup.id)
    )
    if only_active:
        statement = statement.where(TaskGroup.active.is_(True))
    if only_owner:
        statement = statement.where(TaskGroup.user_id == user_id)
    return [(row[0], row[1], row[2], row[3]) for row in await session.execute(statement)]


async def of_groups(session: AsyncSession, group_ids: Sequence[int], *, slim: bool) -> dict[int, list[Task]]:
    statement = select(Task).where(Task.taskgroupv2_id.in_(group_ids)).order_by(Task.id)
    if slim:
        statement = statement.options(*SLIM)
    found: dict[int, list[Task]] = {group_id: [] for group_id in group_ids}
    for task in await session.scalars(statement):
        found[task.taskgroupv2_id].append(task)
    return found


async def owner_and_use(session: AsyncSession, group_id: int) -> tuple[str, bool]:
    statement = select(User.email, in_use()).join(TaskGroup, TaskGroup.user_id == User.id)
    row = (await session.execute(statement.where(TaskGroup.id == group_id))).one()
    return row[0], row[1]


async def lock_package(session: AsyncSession, pkg_name: str, version: str) -> None:
    """Of many who make or share a group of this package and version at once, one goes on until it has committed."""
    key = func.hashtextextended(f"{pkg_name} {version}", 0)
    await session.execute(select(func.pg_advisory_xact_lock(key)))


async def owned_duplicate(
    session: AsyncSession, user_id: int, resource_id: int, pkg_name: str, version: str
) -> int | None:
    statement = select(TaskGroup.id).where(
        TaskGroup.user_id == user_id,
        TaskGroup.resource_id == resource_id,
        TaskGroup.pkg_name == pkg_name,
        TaskGroup.version == version,
    )
    return await session.scalar(statement.order_by(TaskGroup.id).limit(1))


async def shared_duplicate(
    session: AsyncSession, user_group_id: int, pkg_name: str, version: str
) -> tuple[int, str] | None:
    """A group shared with the same user group, and that group's name."""
    statement = (
        select(TaskGroup.id, UserGroup.name)
        .join(UserGroup, UserGroup.id == TaskGroup.user_group_id)
        .where(TaskGroup.user_group_id == user_group_id, TaskGroup.pkg_name == pkg_name, TaskGroup.version == version)
        .order_by(TaskGroup.id)
        .limit(1)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1])


async def collect_activity(session: AsyncSession, group_id: int) -> TaskGroupActivity | None:
    return await session.scalar(
        select(TaskGroupActivity).where(
            TaskGroupActivity.taskgroupv2_id == group_id, TaskGroupActivity.action == "collect"
        )
    )


async def activity(session: AsyncSession, activity_id: int) -> TaskGroupActivity | None:
    return await session.get(TaskGroupActivity, activity_id)


async def activities(session: AsyncSession, user_id: int, filters: dict[str, Any]) -> Sequence[TaskGroupActivity]:
    """`filters` may have id, taskgroupv2_id, status, action (equal), pkg_name (part of it), started_min."""
    statement = select(TaskGroupActivity).where(TaskGroupActivity.user_id == user_id).order_by(TaskGroupActivity.id)
    for name in ("id", "taskgroupv2_id", "status", "action"):
        if filters.get(name) is not None:
            statement = statement.where(getattr(TaskGroupActivity, name) == filters[name])
    if filters.get("pkg_name") is not None:
        pattern = f"%{str(filters['pkg_name']).lower()}%"
        statement = statement.where(func.lower(TaskGroupActivity.pkg_name).like(pattern))
    if filters.get("started_min") is not None:
        statement = statement.where(TaskGroupActivity.timestamp_started >= filters["started_min"])
    return list(await session.scalars(statement.options(defer(TaskGroupActivity.command))))


async def lock_group(session: AsyncSession, group: TaskGroup) -> bool:
    """The group's row for as long as the transaction lasts, read again; False if it is gone."""
    statement = select(TaskGroup).where(TaskGroup.id == group.id).with_for_update()
    return await session.scalar(statement.execution_options(populate_existing=True)) is not None


async def ongoing(session: AsyncSession, group_id: int) -> Sequence[TaskGroupActivity]:
    """Actions on the group that are not over; a pending one counts as well: it will run."""
    statement = select(TaskGroupActivity).where(
        TaskGroupActivity.taskgroupv2_id == group_id, TaskGroupActivity.status.in_(["pending", "ongoing"])
    )
    return list(await session.scalars(statement.order_by(TaskGroupActivity.id)))


async def used_by_submitted_jobs(session: AsyncSession, group_id: int) -> int:
    """Number of (submitted job, workflow task in its range) pairs whose task is of the group."""
    statement = (
        select(func.count())
        .select_from(Job)
        .join(Execution, Execution.job_id == Job.id)
        .join(WorkflowTask, WorkflowTask.workflow_id == Job.workflow_id)
        .join(Task, Task.id == WorkflowTask.task_id)
        .where(
            Job.status == "submitted",
            Task.taskgroupv2_id == group_id,
            WorkflowTask.order >= Job.first_task_index,
            WorkflowTask.order <= Job.last_task_index,
        )
    )
    return await session.scalar(statement) or 0


async def task_in_use(session: AsyncSession, group_id: int) -> int | None:
    statement = select(Task.id).join(WorkflowTask, WorkflowTask.task_id == Task.id)
    return await session.scalar(statement.where(Task.taskgroupv2_id == group_id).order_by(Task.id).limit(1))


async def env_info(session: AsyncSession, group_id: int) -> str | None:
    """Frozen requirements of a group's environment."""
    return await session.scalar(select(TaskGroup.env_info).where(TaskGroup.id == group_id))
