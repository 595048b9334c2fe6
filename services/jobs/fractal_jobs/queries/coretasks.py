"""Core tasks: at most one for each task name, package, version and resource."""

from collections.abc import Sequence
from dataclasses import dataclass

from fractal_common.database.models import Task, TaskGroup
from sqlalchemy import select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

_KEY = (Task.name, TaskGroup.pkg_name, TaskGroup.version, TaskGroup.resource_id)


@dataclass(frozen=True)
class Candidate:
    """A task and what must be unique among core tasks."""

    id: int
    is_core: bool
    name: str
    pkg_name: str
    version: str
    resource_id: int

    @property
    def key(self) -> tuple[str, str, str, int]:
        return (self.name, self.pkg_name, self.version, self.resource_id)


async def existing(session: AsyncSession, task_ids: Sequence[int]) -> set[int]:
    return set(await session.scalars(select(Task.id).where(Task.id.in_(task_ids))))


async def of_group(session: AsyncSession, group_id: int) -> Sequence[int]:
    return list(await session.scalars(select(Task.id).where(Task.taskgroupv2_id == group_id).order_by(Task.id)))


async def lock_candidates(session: AsyncSession, task_ids: Sequence[int]) -> list[Candidate]:
    """The tasks and all that could be core in their place, locked: of two who choose at once one waits."""
    keys = select(*_KEY).join(TaskGroup, TaskGroup.id == Task.taskgroupv2_id).where(Task.id.in_(task_ids))
    statement = (
        select(Task.id, Task.is_core, *_KEY)
        .join(TaskGroup, TaskGroup.id == Task.taskgroupv2_id)
        .where(tuple_(*_KEY).in_(keys.correlate(None)))
        .order_by(Task.id)
        .with_for_update(of=Task)
    )
    return [Candidate(*row) for row in await session.execute(statement)]


async def mark(session: AsyncSession, task_ids: Sequence[int], *, is_core: bool) -> None:
    await session.execute(update(Task).where(Task.id.in_(task_ids)).values(is_core=is_core))
