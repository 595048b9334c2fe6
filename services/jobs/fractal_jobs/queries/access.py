"""What a caller may touch: each question is one statement."""

from collections.abc import Collection
from functools import cache
from typing import Any, TypeVar

from fractal_common.database.models import (
    Dataset,
    GroupMember,
    Job,
    Project,
    ProjectMember,
    Task,
    TaskGroup,
    UserGroup,
    Workflow,
    WorkflowTask,
)
from sqlalchemy import BindParameter, ColumnElement, Integer, Select, and_, bindparam, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

USER = bindparam("user_id", type_=Integer)
RESOURCE = bindparam("resource_id", type_=Integer)
PROJECT = bindparam("project_id", type_=Integer)
"""In place of a value, where a statement is made once and used for everybody."""

Id = int | BindParameter[int]
Part = TypeVar("Part", Dataset, Workflow, Job)


def _membership(user_id: Id) -> ColumnElement[bool]:
    return and_(ProjectMember.project_id == Project.id, ProjectMember.user_id == user_id)


async def project(session: AsyncSession, project_id: int, user_id: int) -> tuple[Project, ProjectMember | None] | None:
    row = (await session.execute(_project(), {"project_id": project_id, "user_id": user_id})).one_or_none()
    return None if row is None else (row[0], row[1])


@cache
def _project() -> "Select[*tuple[Any, ...]]":
    return select(Project, ProjectMember).outerjoin(ProjectMember, _membership(USER)).where(Project.id == PROJECT)


async def part(
    session: AsyncSession, kind: type[Part], project_id: int, part_id: int, user_id: int
) -> tuple[Project, ProjectMember | None, Part | None] | None:
    """A project, the user's link to it, and what of the project has this id."""
    values = {"project_id": project_id, "part_id": part_id, "user_id": user_id}
    row = (await session.execute(_part(kind), values)).one_or_none()
    return None if row is None else (row[0], row[1], row[2])


@cache
def _part(kind: type[Dataset | Workflow | Job]) -> "Select[*tuple[Any, ...]]":
    return (
        select(Project, ProjectMember, kind)
        .outerjoin(ProjectMember, _membership(USER))
        .outerjoin(kind, and_(kind.id == bindparam("part_id"), kind.project_id == Project.id))
        .where(Project.id == PROJECT)
    )


async def workflow(session: AsyncSession, project_id: int, workflow_id: int) -> Workflow | None:
    return await session.scalar(select(Workflow).where(Workflow.id == workflow_id, Workflow.project_id == project_id))


async def workflow_task(
    session: AsyncSession, project_id: int, workflow_id: int, workflowtask_id: int, user_id: int
) -> tuple[Project, ProjectMember | None, Workflow | None, WorkflowTask | None] | None:
    statement = (
        select(Project, ProjectMember, Workflow, WorkflowTask)
        .outerjoin(ProjectMember, _membership(user_id))
        .outerjoin(Workflow, and_(Workflow.id == workflow_id, Workflow.project_id == Project.id))
        .outerjoin(WorkflowTask, and_(WorkflowTask.id == workflowtask_id, WorkflowTask.workflow_id == Workflow.id))
        .where(Project.id == project_id)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1], row[2], row[3])


def is_member(user_id: Id, group_id: Any) -> ColumnElement[bool]:
    return exists().where(GroupMember.user_id == user_id, GroupMember.group_id == group_id)


def readable(user_id: Id) -> ColumnElement[bool]:
    """Condition on TaskGroup: the user owns it, or it is shared with a group of the user."""
    return or_(TaskGroup.user_id == user_id, is_member(user_id, TaskGroup.user_group_id))


def visible_groups(user_id: Id, resource_id: Id | None) -> Select[TaskGroup]:
    """Task groups that lists show: readable and on the user's resource."""
    return select(TaskGroup).where(TaskGroup.resource_id == resource_id, readable(user_id))


async def task_group(
    session: AsyncSession, group_id: int, user_id: int, resource_id: int | None
) -> tuple[TaskGroup, bool] | None:
    """The group, and whether the user may read it: as its owner, or as a member on the same resource."""
    may_read = or_(
        TaskGroup.user_id == user_id,
        and_(is_member(user_id, TaskGroup.user_group_id), TaskGroup.resource_id == resource_id),
    )
    row = (await session.execute(select(TaskGroup, may_read).where(TaskGroup.id == group_id))).one_or_none()
    return None if row is None else (row[0], bool(row[1]))


async def tasks(
    session: AsyncSession, task_ids: Collection[int], user_id: int, resource_id: int | None
) -> dict[int, tuple[Task, TaskGroup, bool]]:
    """Those that exist, each with its group and whether the user may read that."""
    may_read = or_(
        TaskGroup.user_id == user_id,
        and_(is_member(user_id, TaskGroup.user_group_id), TaskGroup.resource_id == resource_id),
    )
    statement = (
        select(Task, TaskGroup, may_read)
        .join(TaskGroup, TaskGroup.id == Task.taskgroupv2_id)
        .where(Task.id.in_(task_ids))
    )
    return {row[0].id: (row[0], row[1], bool(row[2])) for row in await session.execute(statement)}


async def user_group(session: AsyncSession, group_id: int, user_id: int) -> tuple[UserGroup, bool] | None:
    """The group, and whether the user belongs to it."""
    statement = select(UserGroup, is_member(user_id, UserGroup.id)).where(UserGroup.id == group_id)
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else (row[0], bool(row[1]))


async def default_group_id(session: AsyncSession | AsyncConnection, name: str) -> int | None:
    return await session.scalar(_default_group_id(), {"name": name})


@cache
def _default_group_id() -> Select[Any]:
    return select(UserGroup.id).where(UserGroup.name == bindparam("name"))
