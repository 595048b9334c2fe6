"""`/wftask/`: the tasks of a workflow."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from fractal_common.database.models import Task, WorkflowTask
from fractal_common.types import TaskType

from fractal_jobs.api import access
from fractal_jobs.api.access import READ, WRITE, PathId
from fractal_jobs.api.principals import Guest, Writer
from fractal_jobs.api.schemas.workflowexport import WorkflowTaskImport
from fractal_jobs.api.schemas.workflows import WorkflowTaskCreate, WorkflowTaskRead, WorkflowTaskUpdate
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.api.workflows import merged_filters, workflow_task_fields
from fractal_jobs.queries import projects, workflows

router = APIRouter(prefix="/project/{project_id}/workflow/{workflow_id}/wftask")


def new_workflow_task(
    workflow_id: int, task: Task, body: WorkflowTaskCreate | WorkflowTaskImport, *, order: int | None = None
) -> WorkflowTask:
    """The task's meta properties are overlaid by those given; an empty result is stored as null."""
    return WorkflowTask(
        workflow_id=workflow_id,
        order=order,
        task_id=task.id,
        task_type=task.type,
        meta_parallel={**task.meta_parallel, **(body.meta_parallel or {})} or None,
        meta_non_parallel={**task.meta_non_parallel, **(body.meta_non_parallel or {})} or None,
        args_parallel=body.args_parallel,
        args_non_parallel=body.args_non_parallel,
        type_filters=body.type_filters or {},
        alias=body.alias,
        description=body.description,
    )


@router.post("/", response_model=list[WorkflowTaskRead], status_code=201)
async def add_workflow_tasks(
    principal: Writer,
    session: Session,
    project_id: PathId,
    workflow_id: PathId,
    body: list[WorkflowTaskCreate],
    order: Annotated[int | None, Query(ge=0)] = None,
) -> object:
    _, workflow = await access.workflow(session, principal, project_id, workflow_id, WRITE)
    await projects.lock(session, workflow)
    ids = await workflows.ordered_ids(session, workflow.id)
    position = len(ids) if order is None else min(order, len(ids))
    if position < len(ids) and await projects.submitted_jobs(session, workflow_id=workflow.id):
        raise HTTPException(422, "Cannot perform WorkflowTask insertion while a Job is running for this Workflow.")
    added: list[WorkflowTask] = []
    found = await access.tasks(session, principal, [item.task_id for item in body])
    for item in body:
        task, _ = access.checked_task(found, principal, item.task_id, require_active=True)
        _check_parts(task, item)
        merged_filters(task, item.type_filters)
        added.append(new_workflow_task(workflow.id, task, item))
    if not added:
        return []
    session.add_all(added)
    await session.flush()
    new = [row.id for row in added]
    await workflows.reorder(session, workflow.id, [*ids[:position], *new, *ids[position:]])
    rows = await workflows.tasks(session, workflow_id, principal.id, principal.resource_id)
    return [workflow_task_fields(row) for row in rows if row[0].id in new]


@router.get("/{workflow_task_id}/", response_model=WorkflowTaskRead)
async def read_workflow_task(
    principal: Guest, session: Reading, project_id: PathId, workflow_id: PathId, workflow_task_id: PathId
) -> object:
    _, found = await access.workflow_task(session, principal, project_id, workflow_id, workflow_task_id, READ)
    return await _read(session, found)


@router.patch("/{workflow_task_id}/", response_model=WorkflowTaskRead)
async def update_workflow_task(
    principal: Writer,
    session: Session,
    project_id: PathId,
    workflow_id: PathId,
    workflow_task_id: PathId,
    body: WorkflowTaskUpdate,
) -> object:
    _, found = await access.workflow_task(session, principal, project_id, workflow_id, workflow_task_id, WRITE)
    task = await session.get_one(Task, found.task_id)
    changes = body.model_dump(exclude_unset=True)
    if "type_filters" in changes:
        merged_filters(task, body.type_filters)
    _check_patch(found.task_type, changes)
    for field, value in changes.items():
        setattr(found, field, (value or None) if field.startswith("args_") else value)
    await session.flush()
    return await _read(session, found)


@router.delete("/{workflow_task_id}/", status_code=204)
async def delete_workflow_task(
    principal: Writer, session: Session, project_id: PathId, workflow_id: PathId, workflow_task_id: PathId
) -> None:
    workflow, found = await access.workflow_task(session, principal, project_id, workflow_id, workflow_task_id, WRITE)
    await projects.lock(session, workflow)
    if await projects.submitted_jobs(session, workflow_id=workflow.id):
        raise HTTPException(422, "Cannot delete a WorkflowTask while a Job is running for this Workflow.")
    await session.delete(found)
    await session.flush()
    await workflows.reorder(session, workflow.id, await workflows.ordered_ids(session, workflow.id))


async def _read(session: Session, workflow_task: WorkflowTask) -> dict[str, Any]:
    task = await session.get_one(Task, workflow_task.task_id)
    return workflow_task_fields((workflow_task, task, None))


def _check_parts(task: Task, item: WorkflowTaskCreate) -> None:
    """Arguments and meta properties only for the parts that the task has."""
    if task.type == TaskType.PARALLEL and not (item.meta_non_parallel is None and item.args_non_parallel is None):
        raise HTTPException(
            422,
            "Cannot set `WorkflowTaskV2.meta_non_parallel` or `WorkflowTask.args_non_parallel` "
            "if the associated Task is `parallel`.",
        )
    if task.type == TaskType.NON_PARALLEL and not (item.meta_parallel is None and item.args_parallel is None):
        raise HTTPException(
            422,
            "Cannot set `WorkflowTaskV2.meta_parallel` or `WorkflowTask.args_parallel` "
            "if the associated Task is `non_parallel`.",
        )


def _check_patch(task_type: str, changes: dict[str, Any]) -> None:
    def given(*names: str) -> bool:
        return any(changes.get(name) is not None for name in names)

    if task_type == TaskType.PARALLEL and given("args_non_parallel", "meta_non_parallel"):
        raise HTTPException(
            422,
            "Cannot patch `WorkflowTaskV2.args_non_parallel` or `WorkflowTask.meta_non_parallel` "
            "if the associated Task is parallel.",
        )
    if task_type in {TaskType.NON_PARALLEL, TaskType.CONVERTER_NON_PARALLEL} and given(
        "args_parallel", "meta_parallel"
    ):
        raise HTTPException(
            422,
            "Cannot patch `WorkflowTaskV2.args_parallel` or `WorkflowTask.meta_parallel` "
            "if the associated Task is non parallel.",
        )
