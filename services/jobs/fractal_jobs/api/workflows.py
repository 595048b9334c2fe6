"""`/workflow/`: workflows."""

from typing import Any, TypeVar

from fastapi import APIRouter, HTTPException
from fractal_common.database.models import Project, Task, Workflow

from fractal_jobs.api import access
from fractal_jobs.api.access import READ, WRITE, PathId
from fractal_jobs.api.principals import Guest, Principal, Writer
from fractal_jobs.api.responses import JsonArray, empty
from fractal_jobs.api.schemas.projects import ProjectRead
from fractal_jobs.api.schemas.tasks import TaskRead
from fractal_jobs.api.schemas.workflows import (
    WorkflowCreate,
    WorkflowRead,
    WorkflowReadWithWarnings,
    WorkflowUpdate,
)
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.domain.errors import FilterConflict
from fractal_jobs.domain.filters import merge_type_filters, next_types
from fractal_jobs.queries import projects, workflows

router = APIRouter(prefix="/project/{project_id}/workflow")

Model = TypeVar("Model", WorkflowRead, WorkflowReadWithWarnings)


def workflow_task_fields(row: workflows.TaskRow) -> dict[str, Any]:
    """Fields of a workflow task's response."""
    return _fields(row, TaskRead.model_validate(row[1]))


def _fields(row: workflows.TaskRow, task: TaskRead) -> dict[str, Any]:
    columns = {column.key: getattr(row[0], column.key) for column in row[0].__table__.columns}
    return {**columns, "task": task, "warning": row[2]}


def _read(model: type[Model], project: Project, workflow: Workflow, rows: list[workflows.TaskRow]) -> Model:
    """Each task is read once, however often the workflow has it."""
    distinct = {task.id: task for _, task, _ in rows}
    reads = {task_id: TaskRead.model_validate(task) for task_id, task in distinct.items()}
    return model.model_validate(
        {
            **{column.key: getattr(workflow, column.key) for column in workflow.__table__.columns},
            "project": ProjectRead.model_validate(project),
            "task_list": [_fields(row, reads[row[1].id]) for row in rows],
        }
    )


async def with_warnings(session: Session, principal: Principal, project: Project, workflow: Workflow) -> object:
    """The workflow as its own page shows it."""
    await session.flush()
    rows = await workflows.tasks(session, workflow.id, principal.id, principal.resource_id)
    return _read(WorkflowReadWithWarnings, project, workflow, rows)


async def check_name(session: Session, project_id: int, name: str) -> None:
    if await workflows.has_name(session, project_id, name):
        raise HTTPException(422, f"Workflow with {name=} and {project_id=} already exists.")


@router.get("/", response_model=list[WorkflowRead])
async def list_workflows(principal: Guest, session: Reading, project_id: PathId) -> object:
    project, _ = await access.project(session, principal, project_id, READ)
    return JsonArray(await workflows.list_of(await session.connection(), project.id))


@router.post("/", response_model=WorkflowRead, status_code=201)
async def create_workflow(principal: Writer, session: Session, project_id: PathId, body: WorkflowCreate) -> object:
    project, _ = await access.project(session, principal, project_id, WRITE)
    await check_name(session, project.id, body.name)
    workflow = Workflow(name=body.name, description=body.description, project_id=project.id, is_starred=False)
    session.add(workflow)
    await session.flush()
    return _read(WorkflowRead, project, workflow, [])


@router.get("/{workflow_id}/", response_model=WorkflowReadWithWarnings)
async def read_workflow(principal: Guest, session: Reading, project_id: PathId, workflow_id: PathId) -> object:
    project, workflow = await access.workflow(session, principal, project_id, workflow_id, READ)
    return await with_warnings(session, principal, project, workflow)


@router.patch("/{workflow_id}/", response_model=WorkflowReadWithWarnings)
async def update_workflow(
    principal: Writer, session: Session, project_id: PathId, workflow_id: PathId, body: WorkflowUpdate
) -> object:
    project, workflow = await access.workflow(session, principal, project_id, workflow_id, WRITE)
    changes = body.model_dump(exclude_unset=True)
    if changes.get("name", workflow.name) != workflow.name:
        await check_name(session, project.id, changes["name"])
    reorders = "reordered_workflowtask_ids" in changes
    new_order = changes.pop("reordered_workflowtask_ids", None)
    for field, value in changes.items():
        setattr(workflow, field, value)
    if reorders:
        await projects.lock(session, workflow)
        if await projects.submitted_jobs(session, workflow_id=workflow.id):
            raise HTTPException(422, "Cannot re-order WorkflowTasks while a Job is running for this Workflow.")
        current = await workflows.ordered_ids(session, workflow.id)
        if new_order is None or sorted(current) != sorted(new_order):
            raise HTTPException(
                422, f"`reordered_workflowtask_ids` must be a permutation of {current} (given {new_order})"
            )
        await workflows.reorder(session, workflow.id, new_order)
        await session.refresh(workflow)
        await session.refresh(project)
    return await with_warnings(session, principal, project, workflow)


@router.delete("/{workflow_id}/", status_code=204)
async def delete_workflow(principal: Writer, session: Session, project_id: PathId, workflow_id: PathId) -> None:
    _, workflow = await access.workflow(session, principal, project_id, workflow_id, WRITE)
    await projects.lock(session, workflow)
    jobs = await projects.submitted_jobs(session, workflow_id=workflow.id)
    if jobs:
        ids = ", ".join(map(str, jobs))
        raise HTTPException(422, f"Cannot delete workflow {workflow.id} because it is linked to active job(s) {ids}.")
    await session.delete(workflow)


@router.post("/{workflow_id}/star/", status_code=200)
async def star_workflow(principal: Writer, session: Session, project_id: PathId, workflow_id: PathId) -> object:
    return await _star(principal, session, project_id, workflow_id, is_starred=True)


@router.post("/{workflow_id}/unstar/", status_code=200)
async def unstar_workflow(principal: Writer, session: Session, project_id: PathId, workflow_id: PathId) -> object:
    return await _star(principal, session, project_id, workflow_id, is_starred=False)


async def _star(
    principal: Principal, session: Session, project_id: int, workflow_id: int, *, is_starred: bool
) -> object:
    _, workflow = await access.workflow(session, principal, project_id, workflow_id, WRITE)
    workflow.is_starred = is_starred
    return empty()


@router.get("/{workflow_id}/type-filters-flow/", response_model=list[dict[str, Any]])
async def type_filters_flow(principal: Guest, session: Reading, project_id: PathId, workflow_id: PathId) -> object:
    _, workflow = await access.workflow(session, principal, project_id, workflow_id, READ)
    rows = await workflows.tasks(session, workflow.id, principal.id, principal.resource_id)
    if not rows:
        raise HTTPException(422, "Workflow has no tasks.")
    current: dict[str, bool] = {}
    flow: list[dict[str, Any]] = []
    for workflow_task, task, _ in rows:
        flow.append(
            {
                "workflowtask_id": workflow_task.id,
                "current_type_filters": current,
                "input_type_filters": merged_filters(task, workflow_task.type_filters),
                "output_type_filters": task.output_types,
            }
        )
        current = next_types(current, task.output_types)
    return flow


def merged_filters(task: Task, type_filters: dict[str, bool]) -> dict[str, bool]:
    """Raises 422 if the task's input types and these filters contradict each other."""
    try:
        return merge_type_filters(task.input_types, type_filters)
    except FilterConflict as error:
        raise HTTPException(422, f"Incompatible type filters.\nOriginal error: {error}") from None
