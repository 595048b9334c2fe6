"""Tasks that a workflow may have instead of others, or by their names."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from fractal_common.database.base import IntPk
from fractal_common.database.models import GroupMember, Task, TaskGroup, WorkflowTask
from sqlalchemy import ScalarSelect, Select, String, cast, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_jobs.domain.candidates import Candidate, preference
from fractal_jobs.domain.replacement import PackagedTask
from fractal_jobs.queries.access import Id, readable, visible_groups

PackageTask = tuple[str, str]
"""Names of a package and of a task in it."""


def shared_since(user_id: Id) -> ScalarSelect[datetime]:
    """When the user joined the user group of an enclosing statement's TaskGroup."""
    return (
        select(GroupMember.timestamp_created)
        .where(GroupMember.user_id == user_id, GroupMember.group_id == TaskGroup.user_group_id)
        .correlate(TaskGroup)
        .scalar_subquery()
    )


EMPTY = "{}"
"""How a `json` column keeps an empty schema; comparing the text is cheaper than parsing a long one."""


async def of_packages(
    session: AsyncSession,
    names: Iterable[PackageTask],
    *,
    user_id: int,
    resource_id: int | None,
    default_group_id: int | None,
) -> dict[PackageTask, list[Candidate]]:
    """All visible tasks of these names, whatever their version and whether active or not."""
    found: dict[PackageTask, list[Candidate]] = {name: [] for name in names}
    statement = (
        visible_groups(user_id, resource_id)
        .add_columns(Task.id, Task.name, Task.is_core, shared_since(user_id))
        .join(Task, Task.taskgroupv2_id == TaskGroup.id)
        .where(tuple_(TaskGroup.pkg_name, Task.name).in_(list(found)))
        .order_by(Task.id)
    )
    for row in await session.execute(statement) if found else ():
        group, task_id, task_name, is_core, since = row[0], row[1], row[2], row[3], row[4]
        found[group.pkg_name, task_name].append(
            Candidate(
                task_id=task_id,
                version=group.version,
                active=group.active,
                is_core=is_core,
                preference=preference(
                    own=group.user_id == user_id,
                    in_default_group=default_group_id is not None and group.user_group_id == default_group_id,
                    shared_since=since,
                ),
            )
        )
    return found


async def current(session: AsyncSession, workflow_id: int) -> list[tuple[PackagedTask, bool]]:
    """The tasks of a workflow, in order, and whether any arguments of theirs have a schema that says something."""
    says_something = or_(
        *(
            func.coalesce(cast(schema, String) != EMPTY, False)
            for schema in (Task.args_schema_non_parallel, Task.args_schema_parallel)
        )
    )
    statement = (
        _packaged()
        .add_columns(says_something)
        .join(WorkflowTask, WorkflowTask.task_id == Task.id)
        .where(WorkflowTask.workflow_id == workflow_id)
        .order_by(WorkflowTask.order)
    )
    return [(PackagedTask(*row[:-1]), bool(row[-1])) for row in await session.execute(statement)]


async def updates(session: AsyncSession, of: Iterable[PackagedTask], user_id: int) -> list[PackagedTask]:
    """Active tasks of the same packages and names, of any version and resource, that have a schema of arguments."""
    names = {(task.pkg_name, task.name) for task in of}
    if not names:
        return []
    statement = _packaged().where(
        readable(user_id),
        TaskGroup.active.is_(True),
        tuple_(TaskGroup.pkg_name, Task.name).in_(list(names)),
        or_(Task.args_schema_non_parallel.is_not(None), Task.args_schema_parallel.is_not(None)),
    )
    return [PackagedTask(*row) for row in await session.execute(statement)]


def _packaged() -> Select[IntPk, str, str, str, str]:
    return select(Task.id, Task.name, Task.type, TaskGroup.pkg_name, TaskGroup.version).join(
        TaskGroup, TaskGroup.id == Task.taskgroupv2_id
    )


async def tasks(session: AsyncSession, ids: Sequence[int]) -> dict[int, Task]:
    return {task.id: task for task in await session.scalars(select(Task).where(Task.id.in_(ids)))}
