"""`/admin/v2/job/`: jobs of everybody; an administrator stops them, or declares them failed."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import StreamingResponse
from fractal_common.database.base import utcnow
from fractal_common.database.models import Job
from fractal_common.http.pagination import Page, Pagination
from fractal_common.types import RunStatus
from pydantic import AwareDatetime, EmailStr

from fractal_jobs.api.access import PathId, known, known_if_given
from fractal_jobs.api.agents import Agents, agents
from fractal_jobs.api.downloads import job_archive
from fractal_jobs.api.principals import Superuser
from fractal_jobs.api.responses import empty
from fractal_jobs.api.schemas.admin import JobUpdate
from fractal_jobs.api.schemas.jobs import JobRead
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.domain.states import JobState, is_final, move
from fractal_jobs.queries import abandoning, events, executions, jobs, jobsearch, units
from fractal_jobs.queries.jobsearch import JobFilters

router = APIRouter(prefix="/job")


@router.get("/", response_model=Page[JobRead])
async def list_jobs(
    pages: Pagination,
    principal: Superuser,
    session: Reading,
    id: int | None = None,
    resource_id: int | None = None,
    project_owner_id: int | None = None,
    job_user_email: EmailStr | None = None,
    project_id: int | None = None,
    dataset_id: int | None = None,
    workflow_id: int | None = None,
    status: RunStatus | None = None,
    start_timestamp_min: AwareDatetime | None = None,
    start_timestamp_max: AwareDatetime | None = None,
    end_timestamp_min: AwareDatetime | None = None,
    end_timestamp_max: AwareDatetime | None = None,
    log: bool = True,
) -> object:
    filters = JobFilters(
        id=known_if_given(id),
        resource_id=known_if_given(resource_id),
        project_owner_id=known_if_given(project_owner_id),
        user_email=job_user_email,
        project_id=known_if_given(project_id),
        dataset_id=known_if_given(dataset_id),
        workflow_id=known_if_given(workflow_id),
        status=status,
        started=(start_timestamp_min, start_timestamp_max),
        ended=(end_timestamp_min, end_timestamp_max),
    )
    total, rows = await jobsearch.search(session, filters, pages, with_log=log)
    return Page[JobRead].answer(pages, total, rows)


@router.get("/{job_id}/", response_model=JobRead)
async def read_job(principal: Superuser, session: Reading, job_id: PathId, show_tmp_logs: bool = False) -> object:
    job = await _job(session, job_id)
    answer = JobRead.model_validate(job)
    if show_tmp_logs and job.status == RunStatus.SUBMITTED:
        answer.log = await jobs.workflow_log(session, job.id)
    return answer


@router.patch("/{job_id}/", response_model=JobRead)
async def update_job(principal: Superuser, session: Session, job_id: PathId, body: JobUpdate) -> object:
    """Declare a job failed: its work is stopped, and what is heard of it later does not count."""
    job = await _job(session, job_id)
    _check_submitted(job)
    if body.status != RunStatus.FAILED:
        raise HTTPException(422, f"Cannot set job status to {body.status}")
    # Batches before the execution, as whoever records a result locks them; then those that the engine added meanwhile.
    stopped = await abandoning.abandon(session, job)
    execution = await abandoning.lock_execution(session, job.id)
    stopped += await abandoning.abandon(session, job)
    job = await _job(session, job_id)
    _check_submitted(job)
    if execution is not None and not is_final(execution.state):
        execution.state = move(execution.state, JobState.FAILED)
        execution.run_id = None
        execution.wake_at = None
    run_id = await abandoning.latest_run(session, job.id)
    if run_id is not None:
        await units.set_all(session, run_id, RunStatus.FAILED)
        await executions.set_run_status(session, run_id, RunStatus.FAILED)
    now = utcnow()
    job.status = RunStatus.FAILED
    job.end_timestamp = now
    job.log = f"{job.log or ''}\nThis job was manually marked as 'failed' by an admin ({now.isoformat()})."
    await session.flush()
    await events.tell(session, job.id, "job", {"status": job.status})
    if not stopped:
        await abandoning.archive_when_still(session, job.id)
    return job


@router.get("/{job_id}/stop/", status_code=202)
async def stop_job(principal: Superuser, session: Session, job_id: PathId) -> object:
    job = await _job(session, job_id)
    if job.status != RunStatus.SUBMITTED:
        raise HTTPException(422, f"Cannot stop job: expected status 'submitted', but current status is '{job.status}'.")
    await jobs.request_stop(session, job.id)
    return empty(202)


@router.get("/{job_id}/download/", response_class=StreamingResponse)
async def download_job(
    principal: Superuser, session: Reading, job_id: PathId, cluster: Annotated[Agents, Depends(agents)]
) -> StreamingResponse:
    job = await _job(session, job_id)
    return await job_archive(cluster, await jobsearch.resource_id(session, job.id), job)


async def _job(session: Session, job_id: int) -> Job:
    job = await jobsearch.read(session, known(job_id))
    if job is None:
        raise HTTPException(404, f"Job {job_id} not found")
    return job


def _check_submitted(job: Job) -> None:
    if job.status != RunStatus.SUBMITTED:
        raise HTTPException(422, f"Job {job.id} has status job.status='{job.status}' != 'submitted'.")
