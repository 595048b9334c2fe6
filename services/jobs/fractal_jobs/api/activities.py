"""`/task-group/{id}/…/`: deactivate, reactivate, delete."""

from fastapi import APIRouter
from fractal_common.types import ActivityAction, TaskGroupOrigin

from fractal_jobs.api import access, lifecycle
from fractal_jobs.api.access import PathId
from fractal_jobs.api.principals import Writer
from fractal_jobs.api.profiles import validated
from fractal_jobs.api.schemas.tasks import TaskGroupActivityRead
from fractal_jobs.api.transactions import Session

router = APIRouter(prefix="/task-group/{task_group_id}")


@router.post("/deactivate/", response_model=TaskGroupActivityRead, status_code=202)
async def deactivate(principal: Writer, session: Session, task_group_id: PathId) -> object:
    """Its tasks cannot be used from now on; the environment goes when the agent gets to it."""
    resource, profile = validated(principal)
    group = await access.task_group(session, principal, task_group_id, as_owner=True)
    await lifecycle.check_not_ongoing(session, group)
    await lifecycle.check_no_submitted_jobs(session, group)
    lifecycle.check_active(group)
    if group.origin == TaskGroupOrigin.OTHER:
        return await lifecycle.switch(session, group, ActivityAction.DEACTIVATE)
    group.active = False
    return await lifecycle.announce(session, group, resource, profile, ActivityAction.DEACTIVATE)


@router.post("/reactivate/", response_model=TaskGroupActivityRead, status_code=202)
async def reactivate(principal: Writer, session: Session, task_group_id: PathId) -> object:
    resource, profile = validated(principal)
    group = await access.task_group(session, principal, task_group_id, as_owner=True)
    lifecycle.check_inactive(group)
    await lifecycle.check_not_ongoing(session, group)
    await lifecycle.check_no_submitted_jobs(session, group)
    if group.origin == TaskGroupOrigin.OTHER:
        return await lifecycle.switch(session, group, ActivityAction.REACTIVATE)
    await lifecycle.check_frozen(session, group)
    return await lifecycle.announce(session, group, resource, profile, ActivityAction.REACTIVATE)


@router.post("/delete/", response_model=TaskGroupActivityRead, status_code=202)
async def delete(principal: Writer, session: Session, task_group_id: PathId) -> object:
    resource, profile = validated(principal)
    group = await access.task_group(session, principal, task_group_id, as_owner=True)
    await lifecycle.check_not_ongoing(session, group)
    await lifecycle.check_unused(session, group)
    return await lifecycle.announce(session, group, resource, profile, ActivityAction.DELETE)
