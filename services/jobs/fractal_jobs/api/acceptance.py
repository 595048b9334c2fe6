"""What every accepted job goes through, submitted or retried."""

from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException
from fractal_common import REFERENCE_VERSION
from fractal_common.database.base import utcnow
from fractal_common.database.models import Dataset, Execution, Job, Profile, Project, Resource, Workflow
from fractal_common.types import ResourceType

from fractal_jobs.api import access
from fractal_jobs.api.agents import Agents
from fractal_jobs.api.principals import Principal
from fractal_jobs.api.profiles import validated
from fractal_jobs.api.schemas.jobs import JobCreate
from fractal_jobs.api.transactions import Session, flush
from fractal_jobs.api.workflows import merged_filters
from fractal_jobs.domain.names import cache_dir, job_folder
from fractal_jobs.domain.paths import join
from fractal_jobs.domain.states import JobState
from fractal_jobs.queries import events, jobs, projects


@dataclass(frozen=True)
class Retry:
    """A job of which what failed is to run again: the job, its failed run, and what its status filter let pass."""

    job_id: int
    run_id: int
    image_statuses: dict[str, str] | None = None


async def accept(
    session: Session,
    cluster: Agents,
    principal: Principal,
    project: Project,
    dataset: Dataset,
    workflow: Workflow,
    body: JobCreate,
    first: int,
    last: int,
    retry: Retry | None = None,
) -> Job:
    """The job and its execution, the engine's work order, are written in one transaction.

    Raises:
        HTTPException: 403, 404 or 422 with the contract's texts.
    """
    rows = await jobs.selected_tasks(session, workflow.id, first, last)
    tasks = await access.tasks(session, principal, [task.id for _, task in rows])
    for workflow_task, task in rows:
        access.checked_task(tasks, principal, task.id, require_active=True)
        merged_filters(task, workflow_task.type_filters)
    resource, profile = validated(principal)
    if resource.prevent_new_submissions:
        raise HTTPException(422, f"The '{resource.name}' resource does not currently accept new job submissions.")
    if resource.type == ResourceType.SLURM_SSH and await cluster.is_missing(resource.id):
        raise HTTPException(
            422,
            f"No agent serves the resource '{resource.name}': fractal-agent has to run on '{resource.host}' "
            f"as '{profile.username}'.",
        )
    account = _account(principal, body.slurm_account)
    await projects.hold(session, project)
    busy = f"Dataset {dataset.id} is already in use in submitted job(s)."
    if await projects.submitted_jobs(session, dataset_id=dataset.id):
        raise HTTPException(422, busy)
    job = Job(
        project_id=project.id,
        workflow_id=workflow.id,
        dataset_id=dataset.id,
        user_email=principal.user.email,
        slurm_account=account,
        worker_init=body.worker_init or None,
        first_task_index=first,
        last_task_index=last,
        attribute_filters=body.attribute_filters,
        type_filters=body.type_filters,
        fractal_server_version=REFERENCE_VERSION,
        start_timestamp=utcnow(),
        status="submitted",
        **_dumps(project, workflow, dataset),
    )
    session.add(job)
    await flush(session, "ix_jobv2_one_submitted_job_per_dataset", busy)
    folder = job_folder(project.id, workflow.id, job.id, job.start_timestamp)
    caches = _caches(principal, resource)
    job.working_dir = join(resource.jobs_local_dir, folder)
    job.working_dir_user = _user_folder(resource, profile, folder, caches)
    session.add(
        Execution(
            job_id=job.id,
            resource_id=resource.id,
            profile_id=profile.id,
            user_id=principal.id,
            cache_dir=caches,
            state=JobState.ACCEPTED,
            retry_of=retry.job_id if retry else None,
            retry_run_id=retry.run_id if retry else None,
            snapshot={"image_statuses": retry.image_statuses} if retry and retry.image_statuses is not None else None,
        )
    )
    await events.tell(session, job.id, "job", {"status": job.status})
    deactivated = await jobs.touch_groups(session, [task.id for _, task in rows], job)
    for _, task in rows:
        if task.taskgroupv2_id in deactivated:
            raise access.not_active(task)
    await session.flush()
    return await jobs.whole(session, job.id)


def _account(principal: Principal, asked: str | None) -> str | None:
    """The account asked for, else the user's first one."""
    accounts = principal.user.slurm_accounts
    if asked is not None and asked not in accounts:
        raise HTTPException(422, f"SLURM account '{asked}' is not among those available to the current user")
    return asked if asked is not None else next(iter(accounts), None)


def _caches(principal: Principal, resource: Resource) -> str | None:
    """Below the user's first project directory that is one of a file system."""
    directories = principal.user.project_dirs
    caches = next((cache_dir(directory) for directory in directories if directory.startswith("/")), None)
    if caches is None and resource.type == ResourceType.SLURM_SUDO:
        raise HTTPException(
            422, f"None of the user's {directories=} is below '/': the '{resource.name}' resource keeps jobs in one."
        )
    return caches


def _user_folder(resource: Resource, profile: Profile, folder: str, caches: str | None) -> str:
    match resource.type:
        case ResourceType.SLURM_SUDO:
            return join(caches or "/", folder)
        case ResourceType.SLURM_SSH:
            return join(profile.jobs_remote_dir or "/", folder)
        case _:
            return join(resource.jobs_local_dir, folder)


def _dumps(project: Project, workflow: Workflow, dataset: Dataset) -> dict[str, dict[str, Any]]:
    """What the job shows of its project, workflow and dataset for ever, as they are now."""

    def stamp(row: Project | Workflow | Dataset) -> str:
        return row.timestamp_created.isoformat().replace("+00:00", "Z")

    return {
        "project_dump": {"id": project.id, "name": project.name, "timestamp_created": stamp(project)},
        "workflow_dump": {
            "id": workflow.id,
            "name": workflow.name,
            "project_id": project.id,
            "timestamp_created": stamp(workflow),
        },
        "dataset_dump": {
            "id": dataset.id,
            "name": dataset.name,
            "project_id": project.id,
            "timestamp_created": stamp(dataset),
            "zarr_dir": dataset.zarr_dir,
        },
    }
