"""Activities on task groups: what the agents report of them, and what follows in the database."""

from fractal_common.database.base import utcnow
from fractal_common.database.models import Task, TaskGroup, TaskGroupActivity
from fractal_common.messages import EnvironmentFinished, EnvironmentProgress
from fractal_common.types import ActivityAction, ActivityStatus
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_jobs.domain.joblog import clean_text
from fractal_jobs.domain.manifest import Manifest, task_fields
from fractal_jobs.domain.tasks import TaskCreate
from fractal_jobs.queries import activities

OPEN = {ActivityStatus.PENDING, ActivityStatus.ONGOING}


async def record(session: AsyncSession, event: EnvironmentProgress | EnvironmentFinished) -> None:
    """Idempotent: an activity that is over stays as it is, and an older log does not replace a newer one."""
    activity = await activities.lock(session, event.activity_id)
    if activity is None or activity.status not in OPEN:
        return
    if isinstance(event, EnvironmentProgress):
        if event.sequence > activity.log_sequence:
            activity.log_sequence = event.sequence
            activity.status = ActivityStatus.ONGOING
            activity.log = clean_text(event.log)
        return
    activity.log = clean_text(event.log)
    activity.timestamp_ended = utcnow()
    group = await activities.group(session, activity.taskgroupv2_id)
    problem = None
    if event.succeeded and group is not None:
        problem = await _succeed(session, activity, group, event)
    if event.succeeded and problem is None:
        activity.status = ActivityStatus.OK
    else:
        await _fail(session, activity, group, problem)
    await activities.forget_archive(session, activity.id)


async def _succeed(
    session: AsyncSession, activity: TaskGroupActivity, group: TaskGroup, event: EnvironmentFinished
) -> str | None:
    """What changes; the reason if the package turns out not to be usable."""
    match activity.action:
        case ActivityAction.COLLECT:
            return await _collect(session, group, event)
        case ActivityAction.DEACTIVATE:
            group.active = False
            group.env_info = event.env_info or group.env_info
        case ActivityAction.REACTIVATE:
            group.active = True
        case ActivityAction.DELETE:
            await activities.delete_group(session, group.id)
        case ActivityAction.RESET:
            group.active = True
            group.env_info = event.env_info
        case _:
            return f"Unknown action {activity.action}."
    return None


async def _collect(session: AsyncSession, group: TaskGroup, event: EnvironmentFinished) -> str | None:
    try:
        manifest = Manifest.model_validate(event.manifest)
        definitions = [
            TaskCreate.model_validate(fields)
            for fields in task_fields(
                manifest, version=group.version, python=event.python or "", package_root=event.package_root or ""
            )
        ]
    except ValidationError as error:
        return str(error)
    session.add_all([Task(**definition.columns(), taskgroupv2_id=group.id) for definition in definitions])
    group.env_info = event.env_info
    group.archive_path = event.archive_path
    return None


async def _fail(
    session: AsyncSession, activity: TaskGroupActivity, group: TaskGroup | None, problem: str | None
) -> None:
    activity.status = ActivityStatus.FAILED
    if problem is not None:
        activity.log = f"{activity.log or ''}Task {activity.action} failed. Original error: {clean_text(problem)}\n"
    if group is None:
        return
    if activity.action == ActivityAction.COLLECT:
        await session.flush()
        await activities.delete_group(session, group.id)
    elif activity.action == ActivityAction.DEACTIVATE:
        group.active = True
