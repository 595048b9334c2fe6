"""`/task-group/{id}/…/`: deactivate, reactivate, delete; and how any activity is announced to its agent."""

from typing import Any

from fastapi import APIRouter, HTTPException
from fractal_common import REFERENCE_VERSION
from fractal_common.database.base import utcnow
from fractal_common.database.models import OutboxMessage, PackageArchive, Resource, TaskGroup, TaskGroupActivity
from fractal_common.messages import command_subject
from fractal_common.types import ActivityAction, ActivityStatus, TaskGroupOrigin

from fractal_jobs.api import access
from fractal_jobs.api.access import PathId
from fractal_jobs.api.principals import Writer
from fractal_jobs.api.profiles import validated
from fractal_jobs.api.schemas.tasks import TaskGroupActivityRead
from fractal_jobs.api.transactions import Session
from fractal_jobs.queries import tasks

router = APIRouter(prefix="/task-group/{task_group_id}")


async def announce(
    session: Session,
    group: TaskGroup,
    resource: Resource,
    action: ActivityAction,
    *,
    archive: tuple[str, bytes] | None = None,
) -> TaskGroupActivity:
    """Activity, uploaded file and outbox row: the agent will do the work, whatever dies meanwhile."""
    env_info = await tasks.env_info(session, group.id)
    activity = _activity(group, action, ActivityStatus.PENDING)
    activity.resource_id = resource.id
    activity.command = _command(group, resource, action, env_info)
    session.add(activity)
    await session.flush()
    if archive is not None:
        session.add(PackageArchive(activity_id=activity.id, filename=archive[0], content=archive[1]))
        await session.flush()
    session.add(OutboxMessage(subject=command_subject(resource.id, f"environment.{action}"), activity_id=activity.id))
    return activity


@router.post("/deactivate/", response_model=TaskGroupActivityRead, status_code=202)
async def deactivate(principal: Writer, session: Session, task_group_id: PathId) -> object:
    resource, _ = validated(principal)
    group = await access.task_group(session, principal, task_group_id, as_owner=True)
    await _check_not_busy(session, group, jobs=True)
    if not group.active:
        raise HTTPException(422, "Cannot deactivate a task group with task_group.active=False.")
    group.active = False
    if group.origin == TaskGroupOrigin.OTHER:
        return await _done_at_once(session, group, ActivityAction.DEACTIVATE)
    return await announce(session, group, resource, ActivityAction.DEACTIVATE)


@router.post("/reactivate/", response_model=TaskGroupActivityRead, status_code=202)
async def reactivate(principal: Writer, session: Session, task_group_id: PathId) -> object:
    resource, _ = validated(principal)
    group = await access.task_group(session, principal, task_group_id, as_owner=True)
    if group.active:
        raise HTTPException(422, "Cannot reactivate a task group with task_group.active=True.")
    await _check_not_busy(session, group, jobs=True)
    if group.origin == TaskGroupOrigin.OTHER:
        group.active = True
        return await _done_at_once(session, group, ActivityAction.REACTIVATE)
    if await tasks.env_info(session, group.id) is None:
        raise HTTPException(422, "Cannot reactivate a task group with task_group.env_info=None.")
    return await announce(session, group, resource, ActivityAction.REACTIVATE)


@router.post("/delete/", response_model=TaskGroupActivityRead, status_code=202)
async def delete(principal: Writer, session: Session, task_group_id: PathId) -> object:
    resource, _ = validated(principal)
    group = await access.task_group(session, principal, task_group_id, as_owner=True)
    await _check_not_busy(session, group, jobs=False)
    in_use = await tasks.task_in_use(session, group.id)
    if in_use is not None:
        raise HTTPException(422, f"TaskV2 {in_use} is still in use")
    if group.path is None:
        activity = _activity(group, ActivityAction.DELETE, ActivityStatus.OK)
        activity.timestamp_ended = utcnow()
        session.add(activity)
        await session.flush()
        await tasks.delete_group(session, group.id)
        await session.refresh(activity)
        return activity
    return await announce(session, group, resource, ActivityAction.DELETE)


async def _check_not_busy(session: Session, group: TaskGroup, *, jobs: bool) -> None:
    ongoing = await tasks.ongoing(session, group.id)
    if ongoing:
        lines = [
            f"{number}) Action={activity.action}, status={activity.status}, "
            f"timestamp_started={activity.timestamp_started}."
            for number, activity in enumerate(ongoing, start=1)
        ]
        raise HTTPException(422, "\n".join(["Found ongoing activities for the same task-group:", *lines]))
    used = await tasks.used_by_submitted_jobs(session, group.id) if jobs else 0
    if used:
        raise HTTPException(422, f"Cannot act on task group because {used} submitted jobs use its tasks.")


async def _done_at_once(session: Session, group: TaskGroup, action: ActivityAction) -> TaskGroupActivity:
    """A group without an environment of ours has nothing to do on the cluster."""
    activity = _activity(group, action, ActivityStatus.OK)
    activity.timestamp_ended = utcnow()
    activity.log = (
        f"Task group has task_group.origin='{group.origin}', set task_group.active to {group.active} and exit."
    )
    session.add(activity)
    await session.flush()
    return activity


def _activity(group: TaskGroup, action: ActivityAction, status: ActivityStatus) -> TaskGroupActivity:
    return TaskGroupActivity(
        user_id=group.user_id,
        taskgroupv2_id=group.id,
        timestamp_started=utcnow(),
        status=status,
        action=action,
        pkg_name=group.pkg_name,
        version=group.version,
        fractal_server_version=REFERENCE_VERSION,
    )


def _command(group: TaskGroup, resource: Resource, action: ActivityAction, env_info: str | None) -> dict[str, Any]:
    """Fields of the command; the archive is added when it is published."""
    config = resource.tasks_python_config
    return {
        "action": action.value,
        "task_group_id": group.id,
        "origin": group.origin,
        "pkg_name": group.pkg_name,
        "version": group.version,
        "path": group.path,
        "venv_path": group.venv_path,
        "python": config["versions"].get(group.python_version),
        "pip_cache_dir": config.get("pip_cache_dir"),
        "extras": group.pip_extras,
        "pins_before": group.pinned_package_versions_pre or {},
        "pins_after": group.pinned_package_versions_post or {},
        "archive_path": group.archive_path,
        "env_info": env_info,
    }
