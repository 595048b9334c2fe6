"""Jobs as the api shows them; a list never loads logs unless asked to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from fractal_common.database.base import utcnow
from fractal_common.database.models import (
    Execution,
    HistoryImageCache,
    HistoryRun,
    HistoryUnit,
    Job,
    ProjectMember,
    Task,
    TaskGroup,
    WorkflowTask,
)
from sqlalchemy import Integer, Select, bindparam, func, null, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import undefer

from fractal_jobs.queries import documents

FIELDS = (
    *("id", "project_id", "project_dump", "user_email", "slurm_account", "workflow_id", "workflow_dump", "dataset_id"),
    *("dataset_dump", "start_timestamp", "end_timestamp", "status", "log", "executor_error_log", "working_dir"),
    *("working_dir_user", "first_task_index", "last_task_index", "worker_init", "attribute_filters", "type_filters"),
)
"""Of a job, what clients see."""

List = Literal["user", "project", "workflow"]


async def list_of(connection: AsyncConnection, of: List, identifier: int, *, with_log: bool) -> Sequence[str]:
    """JSON texts, newest first: of all projects of a user, of a project, or of a workflow."""
    return await documents.read(connection, _list_of(of, with_log), {"identifier": identifier})


@cache
def _list_of(of: List, with_log: bool) -> Select[str]:
    shown = [null().label(name) if name == "log" and not with_log else Job.__table__.c[name] for name in FIELDS]
    jobs = select(*shown).order_by(Job.start_timestamp.desc(), Job.id.desc())
    identifier = bindparam("identifier", type_=Integer)
    match of:
        case "user":
            member = select(ProjectMember.project_id).where(
                ProjectMember.user_id == identifier, ProjectMember.is_verified.is_(True)
            )
            jobs = jobs.where(Job.project_id.in_(member))
        case "project":
            jobs = jobs.where(Job.project_id == identifier)
        case "workflow":
            jobs = jobs.where(Job.workflow_id == identifier)
    return documents.documents(jobs)


async def whole(session: AsyncSession, job_id: int) -> Job:
    statement = select(Job).where(Job.id == job_id).options(undefer(Job.log), undefer(Job.executor_error_log))
    return (await session.scalars(statement.execution_options(populate_existing=True))).one()


async def workflow_log(session: AsyncSession, job_id: int) -> str | None:
    """`workflow.log` of a job in progress; None before its first line."""
    return await session.scalar(select(Execution.workflow_log).where(Execution.job_id == job_id)) or None


async def request_stop(session: AsyncSession, job_id: int) -> None:
    """Idempotent: the first request counts."""
    await session.execute(
        update(Execution)
        .where(Execution.job_id == job_id)
        .values(stop_requested_at=func.coalesce(Execution.stop_requested_at, utcnow()), wake_at=utcnow())
    )


@dataclass(frozen=True)
class Failure:
    """Where a job failed: the run, its workflow task, the type filters that led to it, and the images let pass."""

    run_id: int
    workflowtask_id: int | None
    current_types: dict[str, bool]
    image_statuses: dict[str, str] | None


async def failure(session: AsyncSession, job_id: int) -> Failure | None:
    """None if the job failed before its first task."""
    run = (
        select(HistoryRun.id, HistoryRun.workflowtask_id)
        .where(HistoryRun.job_id == job_id, HistoryRun.status == "failed")
        .order_by(HistoryRun.id.desc())
        .limit(1)
    )
    found = (await session.execute(run)).one_or_none()
    execution = await session.get(Execution, job_id, options=[undefer(Execution.snapshot)])
    if found is None or execution is None:
        return None
    statuses = (execution.snapshot or {}).get("image_statuses")
    return Failure(found[0], found[1], execution.current_types, statuses)


async def selected_tasks(
    session: AsyncSession, workflow_id: int, first: int, last: int
) -> list[tuple[WorkflowTask, Task]]:
    statement = (
        select(WorkflowTask, Task)
        .join(Task, Task.id == WorkflowTask.task_id)
        .where(WorkflowTask.workflow_id == workflow_id, WorkflowTask.order.between(first, last))
        .order_by(WorkflowTask.order)
    )
    return [(row[0], row[1]) for row in await session.execute(statement)]


async def touch_groups(session: AsyncSession, task_ids: Sequence[int], job: Job) -> set[int]:
    """Note that their groups are used now; returns the groups that somebody deactivated meanwhile.

    Who deactivates a group holds its row: either they see this job, or it sees what they did.
    """
    groups = select(Task.taskgroupv2_id).where(Task.id.in_(task_ids))
    statement = (
        update(TaskGroup)
        .where(TaskGroup.id.in_(groups))
        .values(timestamp_last_used=job.start_timestamp)
        .returning(TaskGroup.id, TaskGroup.active)
    )
    return {group_id for group_id, active in await session.execute(statement) if not active}


async def latest(session: AsyncSession, project_id: int, workflow_id: int, dataset_id: int) -> Job | None:
    statement = (
        select(Job)
        .where(Job.project_id == project_id, Job.workflow_id == workflow_id, Job.dataset_id == dataset_id)
        .order_by(Job.start_timestamp.desc(), Job.id.desc())
        .limit(1)
        .options(undefer(Job.log), undefer(Job.executor_error_log))
    )
    return await session.scalar(statement)


async def latest_runs(session: AsyncSession, dataset_id: int, workflowtask_ids: Sequence[int]) -> dict[int, HistoryRun]:
    """Newest run of each workflow task on the dataset."""
    statement = (
        select(HistoryRun)
        .where(HistoryRun.dataset_id == dataset_id, HistoryRun.workflowtask_id.in_(workflowtask_ids))
        .ext(distinct_on(HistoryRun.workflowtask_id))
        .order_by(HistoryRun.workflowtask_id, HistoryRun.id.desc())
    )
    return {run.workflowtask_id: run for run in await session.scalars(statement) if run.workflowtask_id is not None}


async def image_counts(
    session: AsyncSession, dataset_id: int, workflowtask_ids: Sequence[int]
) -> tuple[dict[tuple[int, str], int], set[int]]:
    """Images by (workflow task, status of their latest unit), and the tasks of which such a unit has warnings."""
    statement = (
        select(
            HistoryImageCache.workflowtask_id,
            HistoryUnit.status,
            func.count(),
            func.bool_or(HistoryUnit.has_warnings),
        )
        .join(HistoryUnit, HistoryUnit.id == HistoryImageCache.latest_history_unit_id)
        .where(HistoryImageCache.dataset_id == dataset_id, HistoryImageCache.workflowtask_id.in_(workflowtask_ids))
        .group_by(HistoryImageCache.workflowtask_id, HistoryUnit.status)
    )
    rows = list(await session.execute(statement))
    return {(row[0], row[1]): row[2] for row in rows}, {row[0] for row in rows if row[3]}


WARNED = text(
    """
    SELECT DISTINCT run.workflowtask_id
    FROM jobs.historyrun AS run
    WHERE run.dataset_id = :dataset_id AND run.workflowtask_id = ANY(:ids)
      AND EXISTS (SELECT FROM jobs.historyunit AS unit WHERE unit.history_run_id = run.id AND unit.has_warnings)
    """
)


async def warned(session: AsyncSession, dataset_id: int, workflowtask_ids: Sequence[int]) -> set[int]:
    """Workflow tasks of which any unit, of any run, has warnings."""
    rows = await session.execute(WARNED, {"dataset_id": dataset_id, "ids": list(workflowtask_ids)})
    return {row[0] for row in rows}
