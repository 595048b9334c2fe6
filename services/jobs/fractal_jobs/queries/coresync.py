"""Core tasks as lists of an operator say, all at once."""

from collections.abc import Sequence

from fractal_common.database.models import Resource, Task, TaskGroup, UserGroup
from sqlalchemy import func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession


class CoreSyncError(Exception):
    """The lists cannot be followed; the message says why."""


async def count(session: AsyncSession) -> int:
    return await session.scalar(select(func.count()).select_from(Task).where(Task.is_core)) or 0


async def replace(
    session: AsyncSession, pairs: Sequence[tuple[int, int]], wanted: Sequence[tuple[str, str, str]]
) -> None:
    """Of task groups with one of the `pairs` (resource, user group), the tasks (package, version, name) are core.

    Raises:
        CoreSyncError: a resource or group is unknown, or two tasks of a resource would be core under one name.
    """
    await _check_known(session, pairs)
    await session.execute(update(Task).where(Task.is_core).values(is_core=False))
    if not pairs or not wanted:
        return
    await session.execute(
        update(Task)
        .where(
            TaskGroup.id == Task.taskgroupv2_id,
            tuple_(TaskGroup.resource_id, TaskGroup.user_group_id).in_(pairs),
            tuple_(TaskGroup.pkg_name, TaskGroup.version, Task.name).in_(wanted),
        )
        .values(is_core=True)
        .execution_options(synchronize_session=False)
    )
    await _check_unique(session)


async def _check_known(session: AsyncSession, pairs: Sequence[tuple[int, int]]) -> None:
    wanted = {resource for resource, _ in pairs}, {group for _, group in pairs}
    for model, ids in zip((Resource, UserGroup), wanted, strict=True):
        known = set(await session.scalars(select(model.id).where(model.id.in_(ids))))
        if ids - known:
            raise CoreSyncError(f"{model.__name__} {sorted(ids - known)} not found.")


async def _check_unique(session: AsyncSession) -> None:
    key = (Task.name, TaskGroup.pkg_name, TaskGroup.version, TaskGroup.resource_id)
    statement = (
        select(*key)
        .join(TaskGroup, TaskGroup.id == Task.taskgroupv2_id)
        .where(Task.is_core)
        .group_by(*key)
        .having(func.count() > 1)
        .limit(1)
    )
    twice = (await session.execute(statement)).one_or_none()
    if twice is not None:
        name, package, version, resource_id = twice
        raise CoreSyncError(
            f"Several task groups of resource {resource_id} have the task '{name}' of {package} {version}: "
            "only one of them can be core."
        )
