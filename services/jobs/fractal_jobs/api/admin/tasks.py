"""`/admin/v2/task/`: tasks of everybody, and which of them are core tasks."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException
from fractal_common.http.pagination import Page, Pagination
from fractal_common.types import ListUniqueNonNegativeInt, TaskType
from pydantic import Field

from fractal_jobs.api.access import MAX_ID, known_if_given
from fractal_jobs.api.principals import Superuser
from fractal_jobs.api.responses import empty
from fractal_jobs.api.schemas.admin import TaskInfo
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.queries import coretasks, tasksearch

router = APIRouter(prefix="/task")

TaskIds = Annotated[ListUniqueNonNegativeInt, Field(min_length=1), Body()]


@router.get("/", response_model=Page[TaskInfo])
async def list_tasks(
    pages: Pagination,
    principal: Superuser,
    session: Reading,
    id: int | None = None,
    version: str | None = None,
    name: str | None = None,
    task_type: TaskType | None = None,
    category: str | None = None,
    modality: str | None = None,
    author: str | None = None,
    resource_id: int | None = None,
    owner_id: int | None = None,
    task_group: str | None = None,
    core: bool | None = None,
    private: bool | None = None,
    active: bool | None = None,
) -> object:
    filters: dict[str, Any] = {
        "id": known_if_given(id),
        "version": version,
        "name": name,
        "task_type": task_type,
        "category": category,
        "modality": modality,
        "author": author,
        "resource_id": known_if_given(resource_id),
        "owner_id": known_if_given(owner_id),
        "task_group": task_group,
        "core": core,
        "private": private,
        "active": active,
    }
    total, rows = await tasksearch.search(session, filters, pages)
    uses = await tasksearch.uses(session, [row.id for row in rows])
    items = [{"task": row, "relationships": uses[row.id]} for row in rows]
    return Page[TaskInfo].answer(pages, total, items)


@router.post("/make-core/", status_code=200)
async def make_tasks_core(principal: Superuser, session: Session, task_ids: TaskIds) -> object:
    await check_exist(session, task_ids)
    await make_core(session, task_ids)
    return empty()


@router.post("/make-not-core/", status_code=200)
async def make_tasks_not_core(principal: Superuser, session: Session, task_ids: TaskIds) -> object:
    await check_exist(session, task_ids)
    await coretasks.mark(session, task_ids, is_core=False)
    return empty()


async def check_exist(session: Session, task_ids: Sequence[int]) -> None:
    found = await coretasks.existing(session, [task_id for task_id in task_ids if task_id <= MAX_ID])
    missing = sorted(set(task_ids) - found)
    if missing:
        raise HTTPException(404, f"Not all tasks were found (Missing IDs: {missing}).")


async def make_core(session: Session, task_ids: Sequence[int]) -> None:
    """All of them or, if two would be core in the same place, none (422)."""
    candidates = await coretasks.lock_candidates(session, task_ids)
    chosen = [candidate for candidate in candidates if candidate.id in set(task_ids)]
    if len({candidate.key for candidate in chosen}) < len(chosen):
        raise HTTPException(
            422,
            "This request would generate conflicting core tasks (with the same task name and task-group properties). "
            "Hint: include fewer tasks in the request body and retry.",
        )
    for other in candidates:
        if other.is_core and other.id not in set(task_ids):
            raise HTTPException(
                422,
                f"There already exists a core task with pkg_name='{other.pkg_name}', version='{other.version}' and "
                f"name='{other.name}' (task ID: {other.id}).",
            )
    await coretasks.mark(session, task_ids, is_core=True)
