"""Tasks, task groups and their activities."""

from collections.abc import Sequence
from functools import cache
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
from sqlalchemy import ColumnElement, Select, String, bindparam, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from fractal_jobs.queries import documents
from fractal_jobs.queries.access import RESOURCE, USER, visible_groups

ACTIVITY_FIELDS = (
    *("id", "user_id", "taskgroupv2_id", "timestamp_started", "timestamp_ended", "pkg_name", "version", "status"),
    *("action", "log"),
)
SLIM_FIELDS = (
    *("id", "name", "version", "is_core", "category", "modality", "authors", "tags", "input_types", "docs_info"),
    "docs_link",
)
"""Of a task, what lists show."""
FIELDS = (
    *SLIM_FIELDS,
    *("type", "command_non_parallel", "command_parallel", "meta_parallel", "meta_non_parallel", "output_types"),
    *("args_schema_non_parallel", "args_schema_parallel", "args_schema_version", "taskgroupv2_id"),
)


async def list_visible(connection: AsyncConnection, user_id: int, resource_id: int | None) -> Sequence[str]:
    """JSON texts."""
    return await documents.read(connection, _list_visible(), {"user_id": user_id, "resource_id": resource_id})


@cache
def _list_visible() -> Select[str]:
    groups = visible_groups(USER, RESOURCE).with_only_columns(TaskGroup.id)
    shown = [Task.__table__.c[name] for name in SLIM_FIELDS]
    return documents.documents(select(*shown).where(Task.taskgroupv2_id.in_(groups)).order_by(Task.id))


def in_use() -> ColumnElement[bool]:
    """Condition on TaskGroup: some workflow, of anybody, has one of its tasks."""
    used = exists().where(Task.taskgroupv2_id == TaskGroup.id, WorkflowTask.task_id == Task.id)
    return used.correlate(TaskGroup)


async def of_groups(session: AsyncSession, group_ids: Sequence[int]) -> dict[int, list[Task]]:
    """Their tasks, with all that these have."""
    statement = select(Task).where(Task.taskgroupv2_id.in_(group_ids)).order_by(Task.id)
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


async def activities(connection: AsyncConnection, user_id: int, filters: dict[str, Any]) -> Sequence[str]:
    """JSON texts. `filters` may have id, taskgroupv2_id, status, action (equal), pkg_name (part), started_min."""
    given = {name: value for name, value in filters.items() if value is not None}
    if "pkg_name" in given:
        given["pkg_name"] = f"%{str(given['pkg_name']).lower()}%"
    return await documents.read(connection, _activities(frozenset(given)), {"user_id": user_id, **given})


@cache
def _activities(filters: frozenset[str]) -> Select[str]:
    columns = TaskGroupActivity.__table__.c
    statement = select(*(columns[name] for name in ACTIVITY_FIELDS)).order_by(columns.id)
    conditions = {
        **{name: columns[name] == bindparam(name) for name in ("id", "taskgroupv2_id", "status", "action")},
        "pkg_name": func.lower(columns.pkg_name).like(bindparam("pkg_name", type_=String)),
        "started_min": columns.timestamp_started >= bindparam("started_min"),
    }
    chosen = [condition for name, condition in conditions.items() if name in filters]
    return documents.documents(statement.where(columns.user_id == USER, *chosen))


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
