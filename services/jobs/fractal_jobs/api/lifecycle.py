"""What all actions on task groups share, whoever asks: their checks, and how the work is announced to the agent."""

from typing import Any

from fastapi import HTTPException
from fractal_common import REFERENCE_VERSION
from fractal_common.database.base import utcnow
from fractal_common.database.models import (
    OutboxMessage,
    PackageArchive,
    Profile,
    Resource,
    TaskGroup,
    TaskGroupActivity,
)
from fractal_common.messages import command_subject
from fractal_common.types import ActivityAction, ActivityStatus, TaskGroupOrigin
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_jobs.api.pixi import pixi_settings
from fractal_jobs.queries import compute, tasks


async def check_not_ongoing(session: AsyncSession, group: TaskGroup) -> None:
    """Of two actions at once the second waits here for the first, and then finds it."""
    if not await tasks.lock_group(session, group):
        raise HTTPException(404, f"TaskGroupV2 {group.id} not found")
    ongoing = await tasks.ongoing(session, group.id)
    if ongoing:
        lines = [
            f"{number}) Action={activity.action}, status={activity.status}, "
            f"timestamp_started={activity.timestamp_started}."
            for number, activity in enumerate(ongoing, start=1)
        ]
        raise HTTPException(422, "\n".join(["Found ongoing activities for the same task-group:", *lines]))


async def check_no_submitted_jobs(session: AsyncSession, group: TaskGroup) -> None:
    used = await tasks.used_by_submitted_jobs(session, group.id)
    if used:
        raise HTTPException(422, f"Cannot act on task group because {used} submitted jobs use its tasks.")


async def check_unused(session: AsyncSession, group: TaskGroup) -> None:
    in_use = await tasks.task_in_use(session, group.id)
    if in_use is not None:
        raise HTTPException(422, f"TaskV2 {in_use} is still in use")


def check_active(group: TaskGroup) -> None:
    if not group.active:
        raise HTTPException(422, "Cannot deactivate a task group with task_group.active=False.")


def check_inactive(group: TaskGroup) -> None:
    if group.active:
        raise HTTPException(422, "Cannot reactivate a task group with task_group.active=True.")


async def check_frozen(session: AsyncSession, group: TaskGroup) -> None:
    """What was installed is known, so that it can be installed again."""
    if await tasks.env_info(session, group.id) is None:
        raise HTTPException(422, "Cannot reactivate a task group with task_group.env_info=None.")


async def switch(session: AsyncSession, group: TaskGroup, action: ActivityAction) -> TaskGroupActivity:
    """Deactivate or reactivate a group without an environment of ours: done at once."""
    group.active = action is ActivityAction.REACTIVATE
    activity = _activity(group, action, ActivityStatus.OK)
    activity.timestamp_ended = utcnow()
    activity.log = (
        f"Task group has task_group.origin='{TaskGroupOrigin.OTHER}', set task_group.active to {group.active} and exit."
    )
    session.add(activity)
    await session.flush()
    return activity


async def announce(
    session: AsyncSession,
    group: TaskGroup,
    resource: Resource,
    profile: Profile,
    action: ActivityAction,
    *,
    archive: tuple[str, bytes] | None = None,
    use_lockfile: bool = True,
) -> TaskGroupActivity:
    """Activity, uploaded file and outbox row: the agent will do the work, whatever dies meanwhile.

    `resource` and `profile` are the owner's; the work is done where the group is, should the owner have moved.
    """
    if group.resource_id != resource.id:
        resource = await compute.resource(session, group.resource_id) or resource
    env_info = await tasks.env_info(session, group.id)
    activity = _activity(group, action, ActivityStatus.PENDING)
    activity.resource_id = resource.id
    command = activity.command = _command(group, resource, action, env_info)
    if group.origin == TaskGroupOrigin.PIXI:
        command["pixi"] = pixi_settings(resource, profile, group.pixi_version, frozen=use_lockfile)
    session.add(activity)
    await session.flush()
    if archive is not None:
        session.add(PackageArchive(activity_id=activity.id, filename=archive[0], content=archive[1]))
        await session.flush()
    session.add(OutboxMessage(subject=command_subject(resource.id, f"environment.{action}"), activity_id=activity.id))
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
