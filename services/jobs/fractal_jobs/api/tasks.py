"""`/task/`: tasks."""

from typing import Any

from fastapi import APIRouter, HTTPException
from fractal_common.database.models import Task, TaskGroup
from fractal_common.types import TaskGroupOrigin, TaskType

from fractal_jobs.api import access, duplicates
from fractal_jobs.api.access import PathId
from fractal_jobs.api.principals import Data, Guest, Writer
from fractal_jobs.api.profiles import validated
from fractal_jobs.api.responses import JsonArray
from fractal_jobs.api.schemas.tasks import TaskRead, TaskReadSlim, TaskUpdate
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.domain.tasks import TaskCreate
from fractal_jobs.queries import tasks

router = APIRouter(prefix="/task")

ONE_PART_ONLY = ("args_schema_non_parallel", "meta_non_parallel", "args_schema_parallel", "meta_parallel")
FIXED_FOR_PACKAGES = ("command_parallel", "command_non_parallel", "input_types", "output_types")


@router.get("/", response_model=list[TaskReadSlim])
async def list_tasks(principal: Guest, data: Data) -> object:
    async with data.readers.connect() as connection:
        return JsonArray(await tasks.list_visible(connection, principal.id, principal.resource_id))


@router.get("/{task_id}/", response_model=TaskRead)
async def read_task(principal: Guest, session: Reading, task_id: PathId) -> object:
    return (await access.task(session, principal, task_id))[0]


@router.post("/", response_model=TaskRead, status_code=201)
async def create_task(
    principal: Writer, session: Session, body: TaskCreate, user_group_id: int | None = None, private: bool = False
) -> object:
    resource, _ = validated(principal)
    group_id = await access.target_group(session, principal, user_group_id, private=private)
    _check_parts(body)
    await duplicates.check(session, principal, resource.id, body.name, body.version, group_id)
    group = TaskGroup(
        user_id=principal.id,
        user_group_id=group_id,
        resource_id=resource.id,
        origin=TaskGroupOrigin.OTHER,
        pkg_name=body.name,
        version=body.version,
    )
    session.add(group)
    await session.flush()
    task = Task(**body.columns(), taskgroupv2_id=group.id)
    session.add(task)
    await session.flush()
    return task


@router.patch("/{task_id}/", response_model=TaskRead)
async def update_task(principal: Writer, session: Session, task_id: PathId, body: TaskUpdate) -> object:
    task, group = await access.task(session, principal, task_id, as_owner=True)
    changes: dict[str, Any] = body.model_dump(exclude_unset=True)
    if group.origin != TaskGroupOrigin.OTHER:
        for name in FIXED_FOR_PACKAGES:
            if name in changes:
                raise HTTPException(422, f"Cannot update '{name}' when task_group.origin='{group.origin}'.")
    if task.type == TaskType.NON_PARALLEL and "command_parallel" in changes:
        raise HTTPException(422, "Cannot set an unset `command_parallel`.")
    if task.type == TaskType.PARALLEL and "command_non_parallel" in changes:
        raise HTTPException(422, "Cannot set an unset `command_non_parallel`.")
    if "tags" in changes:
        changes["tags"] = changes["tags"] or []
    for name, value in changes.items():
        setattr(task, name, value)
    return task


@router.delete("/{task_id}/", status_code=204)
async def delete_task(principal: Writer, task_id: PathId) -> None:
    raise HTTPException(405, "Cannot delete single tasks, please operate directly on task groups.")


def _check_parts(body: TaskCreate) -> None:
    given = {name for name in ONE_PART_ONLY if getattr(body, name) is not None}
    if body.kind is TaskType.PARALLEL and given & {"args_schema_non_parallel", "meta_non_parallel"}:
        raise HTTPException(
            422,
            "Cannot set `TaskV2.args_schema_non_parallel` or `TaskV2.args_schema_non_parallel` if TaskV2 is parallel",
        )
    if body.kind is TaskType.NON_PARALLEL and given & {"args_schema_parallel", "meta_parallel"}:
        raise HTTPException(
            422,
            "Cannot set `TaskV2.args_schema_parallel` or `TaskV2.args_schema_parallel` if TaskV2 is non_parallel",
        )
