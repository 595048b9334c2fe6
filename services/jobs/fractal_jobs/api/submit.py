"""`/job/submit/` and `/job/{id}/retry/`: a job is accepted."""

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fractal_common.database.models import Workflow

from fractal_jobs.api import access
from fractal_jobs.api.acceptance import Retry, accept
from fractal_jobs.api.access import EXECUTE, PathId
from fractal_jobs.api.agents import Agents, agents
from fractal_jobs.api.principals import Writer
from fractal_jobs.api.schemas.jobs import JobCreate, JobRead, JobRetryRead
from fractal_jobs.api.transactions import Session
from fractal_jobs.domain.indices import task_range
from fractal_jobs.queries import jobs, workflows


async def _turn(request: Request) -> AsyncGenerator[None]:
    """A crowd of submissions waits here, and leaves room for those who only read."""
    async with request.app.state.submissions:
        yield


Cluster = Annotated[Agents, Depends(agents)]

router = APIRouter(dependencies=[Depends(_turn, scope="function")])


@router.post("/project/{project_id}/job/submit/", response_model=JobRead, status_code=202)
async def submit_job(
    principal: Writer,
    session: Session,
    project_id: PathId,
    body: JobCreate,
    cluster: Cluster,
    workflow_id: int = Query(),
    dataset_id: int = Query(),
) -> object:
    project, dataset = await access.dataset(session, principal, project_id, dataset_id, EXECUTE)
    if project.resource_id != principal.resource_id:
        raise HTTPException(422, "Project resource does not match with user's resource")
    workflow = await access.workflow_of(session, project, workflow_id)
    first, last = await _range(session, workflow, body)
    return await accept(session, cluster, principal, project, dataset, workflow, body, first, last)


async def _range(session: Session, workflow: Workflow, body: JobCreate) -> tuple[int, int]:
    count = len(await workflows.ordered_ids(session, workflow.id))
    if not count:
        raise HTTPException(422, f"Workflow {workflow.id} has empty task list")
    try:
        return task_range(body.first_task_index, body.last_task_index, count)
    except ValueError as error:
        raise HTTPException(
            422,
            f"Invalid values for first_task_index or last_task_index (with num_tasks={count}).\n"
            f"Original error: {error}",
        ) from None


@router.post("/project/{project_id}/job/{job_id}/retry/", response_model=JobRetryRead, status_code=202)
async def retry_job(
    principal: Writer, session: Session, cluster: Cluster, project_id: PathId, job_id: PathId
) -> object:
    """What failed in a job's last run, and the tasks after it, as a new job."""
    old = await access.job(session, principal, project_id, job_id, EXECUTE)
    if old.status != "failed":
        raise HTTPException(422, f"Cannot retry job {old.id}: expected status 'failed', but it is '{old.status}'.")
    if old.workflow_id is None or old.dataset_id is None:
        raise HTTPException(422, f"Cannot retry job {old.id}: its workflow or its dataset has been deleted.")
    project, dataset = await access.dataset(session, principal, project_id, old.dataset_id, EXECUTE)
    workflow = await access.workflow_of(session, project, old.workflow_id)
    point = await jobs.failure(session, old.id)
    order = await workflows.ordered_ids(session, workflow.id)
    if point is None or point.workflowtask_id not in order:
        raise HTTPException(422, f"Cannot retry job {old.id}: no task of its workflow has failed in it.")
    first = order.index(point.workflowtask_id)
    last = max(first, min(old.last_task_index, len(order) - 1))
    body = JobCreate(attribute_filters=old.attribute_filters, type_filters=point.current_types)
    if old.worker_init:
        body.worker_init = old.worker_init
    if old.slurm_account in principal.user.slurm_accounts:
        body.slurm_account = old.slurm_account
    retry = Retry(old.id, point.run_id, point.image_statuses)
    job = await accept(session, cluster, principal, project, dataset, workflow, body, first, last, retry)
    return JobRetryRead(**JobRead.model_validate(job, from_attributes=True).model_dump(), retry_of=old.id)
