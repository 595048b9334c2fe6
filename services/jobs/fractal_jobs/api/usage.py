"""`/job/{id}/usage/`: what a job took of the cluster."""

from dataclasses import asdict

from fastapi import APIRouter
from fractal_common.http.problems import ProblemRoute

from fractal_jobs.api import access
from fractal_jobs.api.access import READ, PathId
from fractal_jobs.api.principals import Guest
from fractal_jobs.api.schemas.usage import JobUsage, TaskUsage
from fractal_jobs.api.transactions import Reading
from fractal_jobs.domain.usage import total
from fractal_jobs.queries import scheduler

router = APIRouter(prefix="/project/{project_id}/job/{job_id}", route_class=ProblemRoute)


@router.get("/usage/", response_model=JobUsage)
async def read_usage(principal: Guest, session: Reading, project_id: PathId, job_id: PathId) -> object:
    """What the job and each of its tasks took, as SLURM measured it; jobs that are not over count as unmeasured."""
    job = await access.job(session, principal, project_id, job_id, READ)
    tasks = await scheduler.used(session, job.id)
    return JobUsage(
        job_id=job.id,
        tasks=[
            TaskUsage(
                run_id=task.run_id,
                workflowtask_id=task.workflowtask_id,
                task_name=task.task_name,
                **asdict(task.usage),
            )
            for task in tasks
        ],
        **asdict(total([task.usage for task in tasks])),
    )
