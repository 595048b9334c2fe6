"""Newer versions of a workflow's tasks, and replacing one task by another."""

from fastapi import APIRouter, HTTPException
from fractal_common.database.models import Task
from fractal_common.types import TaskType

from fractal_jobs.api import access
from fractal_jobs.api.access import READ, WRITE, PathId
from fractal_jobs.api.principals import Guest, Writer
from fractal_jobs.api.schemas.workflows import TaskVersionRead, WorkflowTaskRead, WorkflowTaskReplace
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.api.workflows import merged_filters, workflow_task_fields
from fractal_jobs.domain.replacement import changed_meta, may_change, newer
from fractal_jobs.queries import candidates

router = APIRouter(prefix="/project/{project_id}/workflow/{workflow_id}")


@router.get("/version-update-candidates/", response_model=list[list[TaskVersionRead]])
async def list_version_update_candidates(
    principal: Guest, session: Reading, project_id: PathId, workflow_id: PathId
) -> object:
    """For every workflow task, in order, the newer versions of its task; of those, active ones with a schema."""
    _, workflow = await access.workflow(session, principal, project_id, workflow_id, READ)
    current = await candidates.current(session, workflow.id)
    others = await candidates.updates(session, [task for task, _ in current], principal.id)
    return [
        [TaskVersionRead(task_id=other.id, version=other.version) for other in newer(task, others)]
        if has_schema
        else []
        for task, has_schema in current
    ]


@router.post("/wftask/replace-task/", response_model=WorkflowTaskRead, status_code=201)
async def replace_task(
    principal: Writer,
    session: Session,
    project_id: PathId,
    workflow_id: PathId,
    workflow_task_id: int,
    task_id: int,
    body: WorkflowTaskReplace,
) -> object:
    """The workflow task keeps its id, place, alias, description, filters, and its own changes to meta properties."""
    _, found = await access.workflow_task(session, principal, project_id, workflow_id, workflow_task_id, WRITE)
    new, _ = await access.task(session, principal, task_id, require_active=True)
    old = await session.get_one(Task, found.task_id)
    if not may_change(old.type, new.type):
        raise HTTPException(422, f"Cannot change task type from {old.type} to {new.type}.")
    if body.args_non_parallel is not None and new.type == TaskType.PARALLEL:
        raise HTTPException(422, "Cannot set 'args_non_parallel' for parallel task.")
    if body.args_parallel is not None and new.type == TaskType.NON_PARALLEL:
        raise HTTPException(422, "Cannot set 'args_parallel' for non-parallel task.")
    merged_filters(new, found.type_filters)
    found.task_id = new.id
    found.task_type = new.type
    if body.args_non_parallel is not None:
        found.args_non_parallel = body.args_non_parallel
    if body.args_parallel is not None:
        found.args_parallel = body.args_parallel
    found.meta_non_parallel = changed_meta(old.meta_non_parallel, new.meta_non_parallel, found.meta_non_parallel)
    found.meta_parallel = changed_meta(old.meta_parallel, new.meta_parallel, found.meta_parallel)
    await session.flush()
    return workflow_task_fields((found, new, None))
