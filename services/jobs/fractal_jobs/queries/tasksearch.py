"""Tasks of everybody with the workflows that use them, for administrators."""

from collections.abc import Sequence
from typing import Any

from fractal_common.database.models import (
    Project,
    ProjectMember,
    Task,
    TaskGroup,
    User,
    UserGroup,
    Workflow,
    WorkflowTask,
)
from fractal_common.http.pagination import PaginationRequest
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_jobs.queries.pages import AnyRow, contains, page

EQUAL = {
    "id": Task.id,
    "version": Task.version,
    "task_type": Task.type,
    "resource_id": TaskGroup.resource_id,
    "owner_id": TaskGroup.user_id,
    "core": Task.is_core,
    "active": TaskGroup.active,
}
EQUAL_IN_ANY_CASE = {"category": Task.category, "modality": Task.modality}
CONTAINED = {"name": Task.name, "author": Task.authors, "task_group": TaskGroup.pkg_name}


def conditions(filters: dict[str, Any]) -> list[ColumnElement[bool]]:
    """`filters` may have any key of the tables above, and `private`; None does not filter."""
    given = {name: value for name, value in filters.items() if value is not None}
    found: list[ColumnElement[bool]] = [column == given[name] for name, column in EQUAL.items() if name in given]
    found += [
        func.lower(column) == str(given[name]).lower() for name, column in EQUAL_IN_ANY_CASE.items() if name in given
    ]
    found += [contains(column, given[name]) for name, column in CONTAINED.items() if name in given]
    if "private" in given:
        found.append(TaskGroup.user_group_id.is_(None) == given["private"])
    return found


async def search(
    session: AsyncSession, filters: dict[str, Any], pages: PaginationRequest
) -> tuple[int, Sequence[AnyRow]]:
    """Total count, and a page by id; only the columns shown are loaded."""
    statement = (
        select(
            Task.id,
            Task.name,
            Task.type,
            Task.is_core,
            Task.taskgroupv2_id,
            Task.command_non_parallel,
            Task.command_parallel,
            Task.version,
            TaskGroup.pkg_name,
            TaskGroup.active,
            User.email.label("owner"),
            UserGroup.name.label("user_group"),
        )
        .join(TaskGroup, TaskGroup.id == Task.taskgroupv2_id)
        .join(User, User.id == TaskGroup.user_id)
        .outerjoin(UserGroup, UserGroup.id == TaskGroup.user_group_id)
        .where(*conditions(filters))
        .order_by(Task.id)
    )
    return await page(session, statement, pages)


async def uses(session: AsyncSession, task_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """For each task one entry a workflow task: its workflow, its project, and that project's owner."""
    statement = (
        select(
            WorkflowTask.task_id,
            Workflow.id.label("workflow_id"),
            Workflow.name.label("workflow_name"),
            Project.id.label("project_id"),
            Project.name.label("project_name"),
            User.id.label("user_id"),
            User.email,
        )
        .join(Workflow, Workflow.id == WorkflowTask.workflow_id)
        .join(Project, Project.id == Workflow.project_id)
        .join(ProjectMember, ProjectMember.project_id == Project.id)
        .join(User, User.id == ProjectMember.user_id)
        .where(WorkflowTask.task_id.in_(task_ids), ProjectMember.is_owner.is_(True))
        .order_by(WorkflowTask.id)
    )
    found: dict[int, list[dict[str, Any]]] = {task_id: [] for task_id in task_ids}
    for row in (await session.execute(statement)).mappings():
        names = ("workflow_id", "workflow_name", "project_id", "project_name")
        owner = {"id": row["user_id"], "email": row["email"]}
        found[row["task_id"]].append({**{name: row[name] for name in names}, "project_users": [owner]})
    return found
