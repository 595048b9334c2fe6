"""`/job/`: reading, stopping and downloading jobs."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import StreamingResponse
from fractal_common.database.models import Job
from fractal_common.types import TaskType

from fractal_jobs.api import access
from fractal_jobs.api.access import EXECUTE, READ, PathId
from fractal_jobs.api.agents import Agents, agents
from fractal_jobs.api.downloads import job_archive
from fractal_jobs.api.principals import Data, Guest, Writer
from fractal_jobs.api.responses import JsonArray, empty
from fractal_jobs.api.schemas.jobs import JobRead, JobReadWithStatuses
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.queries import jobs, workflows

router = APIRouter()


def _read(job: Job) -> dict[str, Any]:
    return {name: getattr(job, name) for name in JobRead.model_fields}


@router.get("/job/", response_model=list[JobRead])
async def list_my_jobs(principal: Guest, data: Data, log: bool = True) -> object:
    async with data.readers.connect() as connection:
        return JsonArray(await jobs.list_of(connection, "user", principal.id, with_log=log))


@router.get("/project/{project_id}/job/", response_model=list[JobRead])
async def list_project_jobs(principal: Guest, session: Reading, project_id: PathId, log: bool = True) -> object:
    project, _ = await access.project(session, principal, project_id, READ)
    return JsonArray(await jobs.list_of(await session.connection(), "project", project.id, with_log=log))


@router.get("/project/{project_id}/workflow/{workflow_id}/job/", response_model=list[JobRead])
async def list_workflow_jobs(principal: Guest, session: Reading, project_id: PathId, workflow_id: PathId) -> object:
    _, workflow = await access.workflow(session, principal, project_id, workflow_id, READ)
    return JsonArray(await jobs.list_of(await session.connection(), "workflow", workflow.id, with_log=True))


@router.get("/project/{project_id}/job/{job_id}/", response_model=JobRead)
async def read_job(
    principal: Guest, session: Reading, project_id: PathId, job_id: PathId, show_tmp_logs: bool = False
) -> object:
    found = await access.job(session, principal, project_id, job_id, READ)
    fields = _read(await jobs.whole(session, found.id))
    if show_tmp_logs and found.status == "submitted":
        fields["log"] = await jobs.workflow_log(session, found.id)
    return fields


@router.get("/project/{project_id}/job/{job_id}/stop/", status_code=202)
async def stop_job(principal: Writer, session: Session, project_id: PathId, job_id: PathId) -> object:
    """On every backend: the engine passes the request on to the agent at once."""
    job = await access.job(session, principal, project_id, job_id, EXECUTE)
    if job.status != "submitted":
        raise HTTPException(422, f"Cannot stop job: expected status 'submitted', but current status is '{job.status}'.")
    await jobs.request_stop(session, job.id)
    return empty(202)


@router.get("/project/{project_id}/job/{job_id}/download/", response_class=StreamingResponse)
async def download_job(
    principal: Guest,
    session: Reading,
    project_id: PathId,
    job_id: PathId,
    cluster: Annotated[Agents, Depends(agents)],
) -> StreamingResponse:
    job = await access.job(session, principal, project_id, job_id, READ)
    project, _ = await access.project(session, principal, project_id, READ)
    return await job_archive(cluster, project.resource_id, job)


@router.get("/project/{project_id}/latest-job/", response_model=JobReadWithStatuses)
async def read_latest_job(
    principal: Guest, session: Reading, project_id: PathId, workflow_id: int, dataset_id: int
) -> object:
    _, workflow = await access.workflow(session, principal, project_id, workflow_id, READ)
    project, dataset = await access.dataset(session, principal, project_id, dataset_id, READ)
    job = await jobs.latest(session, project.id, workflow.id, dataset.id)
    if job is None:
        raise HTTPException(404, f"Job with workflow_id={workflow.id} and dataset_id={dataset.id} not found.")
    rows = await workflows.tasks(session, workflow.id, principal.id, principal.resource_id)
    ids = [row[0].id for row in rows]
    runs = await jobs.latest_runs(session, dataset.id, ids)
    counts, cache_warned = await jobs.image_counts(session, dataset.id, ids)
    any_warned = await jobs.warned(session, dataset.id, ids)
    statuses: dict[str, Any] = {}
    for position, (workflow_task, _, _) in enumerate(rows):
        running = job.status == "submitted" and job.first_task_index <= position <= job.last_task_index
        run = runs.get(workflow_task.id)
        if run is None:
            statuses[str(workflow_task.id)] = {"status": "submitted"} if running else None
            continue
        numbers = {
            f"num_{status}_images": counts.get((workflow_task.id, status), 0)
            for status in ("submitted", "done", "failed")
        }
        is_compound = TaskType(workflow_task.task_type).is_compound
        statuses[str(workflow_task.id)] = {
            "status": "submitted" if running and run.job_id != job.id else run.status,
            **numbers,
            "num_available_images": (
                None if sum(numbers.values()) > run.num_available_images else run.num_available_images
            ),
            "has_warnings": workflow_task.id in (any_warned if is_compound else cache_warned),
        }
    return {**_read(job), "task_statuses": statuses}
