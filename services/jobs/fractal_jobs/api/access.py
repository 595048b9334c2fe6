"""Checks that every route below a project or a task starts with; codes and texts are the contract's."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import HTTPException, Path
from fractal_common.database.models import (
    Dataset,
    Job,
    Project,
    ProjectMember,
    Task,
    TaskGroup,
    Workflow,
    WorkflowTask,
    WorkflowTemplate,
)
from fractal_common.settings import app_settings
from fractal_common.types import ProjectPermissions
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from fractal_jobs.api.principals import Principal
from fractal_jobs.queries import access, templates

MAX_ID = 2**31 - 1
READ, WRITE, EXECUTE = ProjectPermissions.READ, ProjectPermissions.WRITE, ProjectPermissions.EXECUTE

PathId = Annotated[int, Path()]

NOT_AUTHORIZED = (
    "You are not authorized to perform this action. If you think this is by mistake, please contact the project owner."
)


def known(identifier: int) -> int:
    """Ids that no row can have find nothing, instead of overflowing the database's type."""
    return identifier if -MAX_ID <= identifier <= MAX_ID else -1


def known_if_given(identifier: int | None) -> int | None:
    """As `known`, for filters."""
    return None if identifier is None else known(identifier)


def _permitted(
    project: Project | None, member: ProjectMember | None, required: ProjectPermissions
) -> tuple[Project, ProjectMember]:
    if project is None:
        raise HTTPException(404, "Project not found")
    if member is None or not member.is_verified or required not in member.permissions:
        raise HTTPException(403, NOT_AUTHORIZED)
    return project, member


async def project(
    session: AsyncSession, principal: Principal, project_id: int, required: ProjectPermissions
) -> tuple[Project, ProjectMember]:
    """Raises 404 for a missing project, 403 without a verified link that has the permission."""
    row = await access.project(session, known(project_id), principal.id)
    return _permitted(*(row or (None, None)), required)


async def dataset(
    session: AsyncSession, principal: Principal, project_id: int, dataset_id: int, required: ProjectPermissions
) -> tuple[Project, Dataset]:
    row = await access.part(session, Dataset, known(project_id), known(dataset_id), principal.id)
    owner, member, found = row or (None, None, None)
    owner, _ = _permitted(owner, member, required)
    if found is None:
        raise HTTPException(404, "Dataset not found")
    return owner, found


async def workflow(
    session: AsyncSession, principal: Principal, project_id: int, workflow_id: int, required: ProjectPermissions
) -> tuple[Project, Workflow]:
    row = await access.part(session, Workflow, known(project_id), known(workflow_id), principal.id)
    owner, member, found = row or (None, None, None)
    owner, _ = _permitted(owner, member, required)
    return owner, _found_workflow(found)


async def workflow_of(session: AsyncSession, owner: Project, workflow_id: int) -> Workflow:
    """Of a project that the caller has been checked for."""
    return _found_workflow(await access.workflow(session, owner.id, known(workflow_id)))


def _found_workflow(found: Workflow | None) -> Workflow:
    if found is None:
        raise HTTPException(404, "Workflow not found")
    return found


async def workflow_task(
    session: AsyncSession,
    principal: Principal,
    project_id: int,
    workflow_id: int,
    workflowtask_id: int,
    required: ProjectPermissions,
) -> tuple[Workflow, WorkflowTask]:
    row = await access.workflow_task(
        session, known(project_id), known(workflow_id), known(workflowtask_id), principal.id
    )
    owner, member, parent, found = row or (None, None, None, None)
    _permitted(owner, member, required)
    workflow = _found_workflow(parent)
    if found is None:
        raise HTTPException(404, "WorkflowTask not found")
    return workflow, found


async def job(
    session: AsyncSession, principal: Principal, project_id: int, job_id: int, required: ProjectPermissions
) -> Job:
    row = await access.part(session, Job, known(project_id), known(job_id), principal.id)
    owner, member, found = row or (None, None, None)
    _permitted(owner, member, required)
    if found is None:
        raise HTTPException(404, "Job not found")
    return found


async def task_group(
    session: AsyncSession, principal: Principal, group_id: int, *, as_owner: bool = False
) -> TaskGroup:
    row = await access.task_group(session, known(group_id), principal.id, principal.resource_id)
    if row is None:
        raise HTTPException(404, f"TaskGroupV2 {group_id} not found")
    _check_group(row[0], principal, may_read=row[1], as_owner=as_owner)
    return row[0]


Tasks = dict[int, tuple[Task, TaskGroup, bool]]
"""By id: a task, its group, and whether the caller may read that."""


async def tasks(session: AsyncSession, principal: Principal, task_ids: Iterable[int]) -> Tasks:
    """For `checked_task`, in one statement."""
    return await access.tasks(session, {known(one) for one in task_ids}, principal.id, principal.resource_id)


def checked_task(
    found: Tasks, principal: Principal, task_id: int, *, require_active: bool = False, as_owner: bool = False
) -> tuple[Task, TaskGroup]:
    """Also the owner of a task needs to be on its resource."""
    if task_id not in found:
        raise HTTPException(404, f"TaskV2 {task_id} not found")
    task, group, may_read = found[task_id]
    _check_group(group, principal, may_read=may_read, as_owner=as_owner)
    if group.resource_id != principal.resource_id:
        raise HTTPException(403, f"User {principal.id} has no access to TaskGroup's Resource.")
    if require_active and not group.active:
        raise not_active(task)
    return task, group


def not_active(task: Task) -> HTTPException:
    return HTTPException(422, f"Error: task {task.id} ({task.name}) is not active.")


async def task(
    session: AsyncSession,
    principal: Principal,
    task_id: int,
    *,
    require_active: bool = False,
    as_owner: bool = False,
) -> tuple[Task, TaskGroup]:
    found = await tasks(session, principal, [task_id])
    return checked_task(found, principal, task_id, require_active=require_active, as_owner=as_owner)


async def template(
    session: AsyncSession, principal: Principal, template_id: int, *, as_owner: bool = False
) -> tuple[WorkflowTemplate, str]:
    """The template and its owner's e-mail. Raises 404 for a missing one, 403 without access."""
    row = await templates.find(session, known(template_id), principal.id)
    if row is None:
        raise HTTPException(404, f"WorkflowTemplate[{template_id}] not found.")
    found, email, may_read = row
    if as_owner and found.user_id != principal.id:
        raise HTTPException(403, f"You are not the owner of WorkflowTemplate[{template_id}].")
    if not may_read:
        raise HTTPException(403, f"You are not authorized to view WorkflowTemplate[{template_id}].")
    return found, email


async def target_group(
    session: AsyncSession, principal: Principal, user_group_id: int | None, *, private: bool
) -> int | None:
    """With whom new tasks are shared: nobody, the group named, or the default group."""
    if private:
        if user_group_id is not None:
            raise HTTPException(422, f"Cannot set both user_group_id={user_group_id} and private=True")
        return None
    if user_group_id is None:
        return await default_group(session)
    await member_of(session, principal, user_group_id)
    return user_group_id


async def default_group(session: AsyncSession | AsyncConnection) -> int | None:
    """None if the instance has no default group."""
    name = app_settings().FRACTAL_DEFAULT_GROUP_NAME
    if name is None:
        return None
    group_id = await access.default_group_id(session, name)
    if group_id is None:
        raise HTTPException(404, [f"User group '{name}' not found."])
    return group_id


async def member_of(session: AsyncSession, principal: Principal, group_id: int) -> None:
    row = await access.user_group(session, known(group_id), principal.id)
    if row is None:
        raise HTTPException(404, f"UserGroup {group_id} not found")
    if not row[1]:
        raise HTTPException(403, f"User {principal.id} does not belong to UserGroup {group_id}")


def _check_group(group: TaskGroup, principal: Principal, *, may_read: bool, as_owner: bool) -> None:
    if as_owner and group.user_id != principal.id:
        raise HTTPException(403, [f"Current user has no full access to TaskGroupV2 {group.id}."])
    if not may_read:
        raise HTTPException(403, f"Current user has no read access to TaskGroupV2 {group.id}.")
