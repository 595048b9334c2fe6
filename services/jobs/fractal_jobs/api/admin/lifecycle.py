"""`/admin/v2/task-group/{id}/…/`: what owners can do with their task groups, on their behalf; and reset."""

from fastapi import APIRouter, HTTPException
from fractal_common.database.models import Profile, Resource, TaskGroup
from fractal_common.settings import app_settings
from fractal_common.types import ActivityAction, ResourceType, TaskGroupOrigin

from fractal_jobs.api import lifecycle
from fractal_jobs.api.access import PathId
from fractal_jobs.api.admin.taskgroups import known_group
from fractal_jobs.api.pixi import available_version
from fractal_jobs.api.principals import Principal, Superuser
from fractal_jobs.api.profiles import validated
from fractal_jobs.api.schemas.admin import TaskGroupOverridesPip, TaskGroupOverridesPixi
from fractal_jobs.api.schemas.tasks import TaskGroupActivityRead
from fractal_jobs.api.transactions import Session
from fractal_jobs.queries import principals

PIP_ORIGINS = [TaskGroupOrigin.PYPI, TaskGroupOrigin.WHEELFILE]

router = APIRouter(prefix="/task-group/{task_group_id}")


@router.post("/deactivate/", response_model=TaskGroupActivityRead, status_code=202)
async def deactivate(principal: Superuser, session: Session, task_group_id: PathId) -> object:
    """Other than for its owner the group stays active until its environment is gone."""
    group = await known_group(session, task_group_id)
    lifecycle.check_active(group)
    await lifecycle.check_not_ongoing(session, group)
    await lifecycle.check_no_submitted_jobs(session, group)
    if group.origin == TaskGroupOrigin.OTHER:
        return await lifecycle.switch(session, group, ActivityAction.DEACTIVATE)
    return await lifecycle.announce(session, group, *await _place(session, group), ActivityAction.DEACTIVATE)


@router.post("/reactivate/", response_model=TaskGroupActivityRead, status_code=202)
async def reactivate(principal: Superuser, session: Session, task_group_id: PathId) -> object:
    group = await known_group(session, task_group_id)
    lifecycle.check_inactive(group)
    await lifecycle.check_not_ongoing(session, group)
    await lifecycle.check_no_submitted_jobs(session, group)
    if group.origin == TaskGroupOrigin.OTHER:
        return await lifecycle.switch(session, group, ActivityAction.REACTIVATE)
    await lifecycle.check_frozen(session, group)
    return await lifecycle.announce(session, group, *await _place(session, group), ActivityAction.REACTIVATE)


@router.post("/delete/", response_model=TaskGroupActivityRead, status_code=202)
async def delete(principal: Superuser, session: Session, task_group_id: PathId) -> object:
    group = await known_group(session, task_group_id)
    await lifecycle.check_not_ongoing(session, group)
    await lifecycle.check_no_submitted_jobs(session, group)
    await lifecycle.check_unused(session, group)
    return await lifecycle.announce(session, group, *await _place(session, group), ActivityAction.DELETE)


@router.post("/reset/pip/", response_model=TaskGroupActivityRead, status_code=202)
async def reset_pip(
    principal: Superuser, session: Session, task_group_id: PathId, body: TaskGroupOverridesPip
) -> object:
    """Make the environment again, with other versions if wanted; tasks stay as they are."""
    group, resource, profile = await _resettable(
        session, task_group_id, [TaskGroupOrigin.PYPI, TaskGroupOrigin.WHEELFILE]
    )
    version = body.python_version
    if version is not None and version not in resource.tasks_python_config["versions"]:
        raise HTTPException(422, f"Python version {version} is not available for this Fractal resource.")
    group.python_version = version or group.python_version
    group.pip_extras = group.pip_extras if body.pip_extras is None else body.pip_extras
    group.pinned_package_versions_pre = body.pinned_package_versions_pre
    group.pinned_package_versions_post = body.pinned_package_versions_post
    return await lifecycle.announce(session, group, resource, profile, ActivityAction.RESET)


@router.post("/reset/pixi/", response_model=TaskGroupActivityRead, status_code=202)
async def reset_pixi(
    principal: Superuser, session: Session, task_group_id: PathId, body: TaskGroupOverridesPixi
) -> object:
    group, resource, profile = await _resettable(session, task_group_id, [TaskGroupOrigin.PIXI])
    available_version(resource, group.pixi_version)
    return await lifecycle.announce(
        session, group, resource, profile, ActivityAction.RESET, use_lockfile=body.use_pixi_lockfile
    )


async def _place(session: Session, group: TaskGroup) -> tuple[Resource, Profile]:
    """Where and as whom its owner works; 422 if that is not valid."""
    return validated(Principal(*(await principals.find(session, [group.user_id]))[group.user_id]))


async def _resettable(
    session: Session, task_group_id: int, origins: list[TaskGroupOrigin]
) -> tuple[TaskGroup, Resource, Profile]:
    if app_settings().FRACTAL_ENABLE_TASK_GROUP_RESET != "true":
        raise HTTPException(422, "FRACTAL_ENABLE_TASK_GROUP_RESET=false")
    group = await known_group(session, task_group_id)
    if group.active:
        raise HTTPException(422, "Cannot re-collect an active task group. Please deactivate it first.")
    await lifecycle.check_not_ongoing(session, group)
    resource, profile = await _place(session, group)
    if group.origin not in origins:
        expected = "pixi" if TaskGroupOrigin.PIXI in origins else "pip"
        raise HTTPException(422, f"Invalid task_group.origin='{group.origin}' (expected {expected}).")
    if resource.type == ResourceType.SLURM_SSH:
        raise HTTPException(422, f"Resource type {resource.type} not supported.")
    return group, resource, profile
