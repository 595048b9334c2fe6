"""`/task-group/`: task groups and their activities."""

from json import dumps
from typing import Any, TypeVar

from fastapi import APIRouter, HTTPException, Response
from fractal_common.database.models import Task, TaskGroup
from fractal_common.types import ActivityAction, ActivityStatus
from pydantic import AwareDatetime

from fractal_jobs.api import access, duplicates
from fractal_jobs.api.access import PathId, known, known_if_given
from fractal_jobs.api.principals import Data, Guest, Writer
from fractal_jobs.api.responses import JsonArray
from fractal_jobs.api.schemas.tasks import (
    TaskGroupActivityRead,
    TaskGroupRead,
    TaskGroupReadSlim,
    TaskGroupUpdate,
    TaskRead,
)
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.domain.candidates import Preference, preference
from fractal_jobs.domain.names import version_key
from fractal_jobs.queries import grouplists, tasks
from fractal_jobs.queries.grouplists import VisibleGroup

router = APIRouter(prefix="/task-group")

Model = TypeVar("Model", bound=TaskGroupRead)


def view(model: type[Model], group: TaskGroup, email: str, in_use: bool, members: list[Task]) -> Model:
    """What the contract shows of a group."""
    fields: dict[str, Any] = {
        column.key: getattr(group, column.key) for column in group.__table__.columns if column.key != "env_info"
    }
    for pins in ("pinned_package_versions_pre", "pinned_package_versions_post"):
        fields[pins] = fields[pins] or {}
    return model.model_validate(
        {
            **fields,
            "user_email": email,
            "in_use": in_use,
            "task_list": [TaskRead.model_validate(task) for task in members],
        }
    )


@router.get("/", response_model=list[tuple[str, list[TaskGroupReadSlim]]])
async def list_task_groups(
    principal: Guest, data: Data, only_active: bool = False, only_owner: bool = False
) -> Response:
    """Pairs of package name and its versions, newest first; one group a version."""
    async with data.readers.connect() as connection:
        found = await grouplists.visible(
            connection, principal.id, principal.resource_id, only_active=only_active, only_owner=only_owner
        )
        default = await access.default_group(connection)

    def rank(group: VisibleGroup) -> Preference:
        return preference(
            own=group.user_id == principal.id,
            in_default_group=default is not None and group.user_group_id == default,
            shared_since=group.shared_since,
        )

    chosen: dict[str, dict[str, VisibleGroup]] = {group.pkg_name: {} for group in found}
    for group in sorted(found, key=rank):
        chosen[group.pkg_name].setdefault(group.version, group)
    pairs: list[str] = []
    for name, versions in chosen.items():
        newest_first = sorted(versions.values(), key=lambda group: version_key(group.version), reverse=True)
        pairs.append(f"[{dumps(name)},[{','.join(group.document for group in newest_first)}]]")
    return JsonArray(pairs)


@router.get("/activity/", response_model=list[TaskGroupActivityRead])
async def list_activities(
    principal: Guest,
    data: Data,
    task_group_activity_id: int | None = None,
    taskgroupv2_id: int | None = None,
    pkg_name: str | None = None,
    status: ActivityStatus | None = None,
    action: ActivityAction | None = None,
    timestamp_started_min: AwareDatetime | None = None,
) -> object:
    filters: dict[str, Any] = {
        "id": known_if_given(task_group_activity_id),
        "taskgroupv2_id": known_if_given(taskgroupv2_id),
        "pkg_name": pkg_name,
        "status": status,
        "action": action,
        "started_min": timestamp_started_min,
    }
    async with data.readers.connect() as connection:
        return JsonArray(await tasks.activities(connection, principal.id, filters))


@router.get("/activity/{task_group_activity_id}/", response_model=TaskGroupActivityRead)
async def read_activity(principal: Guest, session: Reading, task_group_activity_id: PathId) -> object:
    activity = await tasks.activity(session, known(task_group_activity_id))
    if activity is None:
        raise HTTPException(404, f"TaskGroupActivityV2 {task_group_activity_id} not found")
    if activity.user_id != principal.id:
        raise HTTPException(403, [f"You are not the owner of TaskGroupActivityV2 {activity.id}"])
    return activity


@router.get("/{task_group_id}/", response_model=TaskGroupRead)
async def read_task_group(principal: Guest, session: Reading, task_group_id: PathId) -> object:
    return await whole(session, await access.task_group(session, principal, task_group_id), TaskGroupRead)


@router.patch("/{task_group_id}/", response_model=TaskGroupRead)
async def update_task_group(
    principal: Writer, session: Session, task_group_id: PathId, body: TaskGroupUpdate
) -> object:
    group = await access.task_group(session, principal, task_group_id, as_owner=True)
    if "user_group_id" in body.model_fields_set:
        if body.user_group_id != group.user_group_id:
            await duplicates.check_shared(session, group.pkg_name, group.version, body.user_group_id)
        if body.user_group_id is not None:
            await access.member_of(session, principal, body.user_group_id)
        group.user_group_id = body.user_group_id
    return await whole(session, group, TaskGroupRead)


async def whole(session: Session, group: TaskGroup, model: type[Model]) -> Model:
    """One group with all that its tasks have."""
    email, in_use = await tasks.owner_and_use(session, group.id)
    members = await tasks.of_groups(session, [group.id])
    return view(model, group, email, in_use, members[group.id])
