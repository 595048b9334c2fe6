"""`/admin/v2/task-group/`: task groups and activities of everybody."""

from typing import Any

from fastapi import APIRouter, HTTPException
from fractal_common.database.models import TaskGroup
from fractal_common.http.pagination import Page, Pagination
from fractal_common.types import ActivityAction, ActivityStatus, TaskGroupOrigin
from pydantic import AwareDatetime

from fractal_jobs.api import access
from fractal_jobs.api.access import PathId, known, known_if_given
from fractal_jobs.api.admin.tasks import make_core
from fractal_jobs.api.principals import Superuser
from fractal_jobs.api.responses import empty
from fractal_jobs.api.schemas.admin import TaskGroupReadSuperuser
from fractal_jobs.api.schemas.tasks import TaskGroupActivityRead, TaskGroupUpdate
from fractal_jobs.api.taskgroups import view, whole
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.queries import coretasks, groupsearch, tasks
from fractal_jobs.queries.groupsearch import GroupFilters

router = APIRouter(prefix="/task-group")


@router.get("/activity/", response_model=Page[TaskGroupActivityRead])
async def list_activities(
    pages: Pagination,
    principal: Superuser,
    session: Reading,
    task_group_activity_id: int | None = None,
    user_id: int | None = None,
    taskgroupv2_id: int | None = None,
    pkg_name: str | None = None,
    status: ActivityStatus | None = None,
    action: ActivityAction | None = None,
    timestamp_started_min: AwareDatetime | None = None,
) -> object:
    filters: dict[str, Any] = {
        "id": known_if_given(task_group_activity_id),
        # Zero and empty texts do not filter, as clients know it.
        "user_id": known_if_given(user_id) or None,
        "taskgroupv2_id": known_if_given(taskgroupv2_id) or None,
        "pkg_name": pkg_name or None,
        "status": status,
        "action": action,
        "started_min": timestamp_started_min,
    }
    total, rows = await groupsearch.activities(session, filters, pages)
    return Page[TaskGroupActivityRead].answer(pages, total, rows)


@router.get("/", response_model=Page[TaskGroupReadSuperuser])
async def list_task_groups(
    pages: Pagination,
    principal: Superuser,
    session: Reading,
    task_group_id: int | None = None,
    user_id: int | None = None,
    user_group_id: int | None = None,
    private: bool | None = None,
    active: bool | None = None,
    pkg_name: str | None = None,
    origin: TaskGroupOrigin | None = None,
    timestamp_last_used_min: AwareDatetime | None = None,
    timestamp_last_used_max: AwareDatetime | None = None,
    resource_id: int | None = None,
    in_use: bool | None = None,
) -> object:
    if user_group_id is not None and private is True:
        raise HTTPException(422, f"Cannot get task groups with both {user_group_id=} and {private=}.")
    filters = GroupFilters(
        id=known_if_given(task_group_id),
        user_id=known_if_given(user_id),
        user_group_id=known_if_given(user_group_id),
        private=private,
        active=active,
        pkg_name=pkg_name,
        origin=origin,
        last_used=(timestamp_last_used_min, timestamp_last_used_max),
        resource_id=known_if_given(resource_id),
        in_use=in_use,
    )
    total, rows = await groupsearch.search(session, filters, pages)
    members = await tasks.of_groups(session, [group.id for group, _, _ in rows])
    items = [view(TaskGroupReadSuperuser, group, email, used, members[group.id]) for group, email, used in rows]
    return Page[TaskGroupReadSuperuser].answer(pages, total, items)


@router.get("/{task_group_id}/", response_model=TaskGroupReadSuperuser)
async def read_task_group(principal: Superuser, session: Reading, task_group_id: PathId) -> object:
    group = await groupsearch.read(session, known(task_group_id))
    if group is None:
        raise HTTPException(404, f"TaskGroup {task_group_id} not found")
    return await whole(session, group, TaskGroupReadSuperuser)


@router.patch("/{task_group_id}/", response_model=TaskGroupReadSuperuser)
async def update_task_group(
    principal: Superuser, session: Session, task_group_id: PathId, body: TaskGroupUpdate
) -> object:
    """Share a group with a user group of the administrator's, or with nobody."""
    group = await known_group(session, task_group_id)
    if "user_group_id" in body.model_fields_set:
        if body.user_group_id is not None:
            await access.member_of(session, principal, body.user_group_id)
        group.user_group_id = body.user_group_id
    return await whole(session, group, TaskGroupReadSuperuser)


@router.post("/{task_group_id}/make-core/", status_code=200)
async def make_group_core(principal: Superuser, session: Session, task_group_id: PathId) -> object:
    group = await known_group(session, task_group_id)
    await make_core(session, await coretasks.of_group(session, group.id))
    return empty()


@router.post("/{task_group_id}/make-not-core/", status_code=200)
async def make_group_not_core(principal: Superuser, session: Session, task_group_id: PathId) -> object:
    group = await known_group(session, task_group_id)
    await coretasks.mark(session, await coretasks.of_group(session, group.id), is_core=False)
    return empty()


async def known_group(session: Session, task_group_id: int) -> TaskGroup:
    group = await groupsearch.read(session, known(task_group_id))
    if group is None:
        raise HTTPException(404, f"TaskGroupV2 {task_group_id} not found")
    return group
