"""Jobs in progress."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from fractal_common.database.base import utcnow
from fractal_common.database.models import (
    AccountingRecord,
    Batch,
    Dataset,
    Execution,
    HistoryImageCache,
    HistoryRun,
    HistoryUnit,
    Job,
    Profile,
    Resource,
    Task,
    TaskGroup,
    Workflow,
    WorkflowTask,
)
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from fractal_jobs.domain.states import JobState
from fractal_jobs.queries import events


async def due(session: AsyncSession, limit: int, *, except_for: Sequence[int] = ()) -> list[int]:
    """Jobs that some engine should look at now, longest waiting first."""
    due_now = select(Execution.job_id).where(Execution.wake_at <= utcnow(), Execution.job_id.not_in(except_for))
    return list(await session.scalars(due_now.order_by(Execution.wake_at).limit(limit)))


async def lock(session: AsyncSession, job_id: int) -> Execution | None:
    """The job's row for as long as the transaction lasts; None if another replica has it."""
    statement = (
        select(Execution)
        .where(Execution.job_id == job_id)
        .options(undefer(Execution.snapshot), undefer(Execution.workflow_log))
        .with_for_update(skip_locked=True)
    )
    return await session.scalar(statement)


async def wake(session: AsyncSession, run_id: int) -> None:
    """Ask the engines to look at the job whose run this is."""
    await session.execute(update(Execution).where(Execution.run_id == run_id).values(wake_at=utcnow()))


async def wake_stopping(session: AsyncSession, resources: Sequence[int], older_than: timedelta) -> None:
    """Look again at running jobs whose stop was asked for a while ago: the agent may not have heard of it."""
    await session.execute(
        update(Execution)
        .where(
            Execution.stop_requested_at < utcnow() - older_than,
            Execution.state == JobState.RUNNING,
            Execution.resource_id.in_(resources),
            Execution.wake_at.is_(None),
        )
        .values(wake_at=utcnow())
    )


async def job(session: AsyncSession, job_id: int) -> Job:
    return (await session.scalars(select(Job).where(Job.id == job_id))).one()


async def resource(session: AsyncSession, resource_id: int | None) -> Resource | None:
    return await session.get(Resource, resource_id) if resource_id is not None else None


async def profile(session: AsyncSession, profile_id: int | None) -> Profile | None:
    return await session.get(Profile, profile_id) if profile_id is not None else None


async def workflow_and_dataset(session: AsyncSession, job: Job) -> tuple[Workflow | None, Dataset | None]:
    workflow = await session.get(Workflow, job.workflow_id) if job.workflow_id is not None else None
    dataset = await session.get(Dataset, job.dataset_id) if job.dataset_id is not None else None
    return workflow, dataset


async def workflow_tasks(session: AsyncSession, workflow_id: int) -> Sequence[tuple[WorkflowTask, Task]]:
    statement = (
        select(WorkflowTask, Task)
        .join(Task, Task.id == WorkflowTask.task_id)
        .where(WorkflowTask.workflow_id == workflow_id)
        .order_by(WorkflowTask.order)
    )
    return list(await session.execute(statement))


async def task_group(session: AsyncSession, task_id: int) -> TaskGroup | None:
    statement = select(TaskGroup).join(Task, Task.taskgroupv2_id == TaskGroup.id).where(Task.id == task_id)
    return await session.scalar(statement)


async def task_now(
    session: AsyncSession, task_id: int, workflowtask_id: int
) -> tuple[Task | None, TaskGroup | None, int | None]:
    """A task and its group as they are now, and the workflow task's id if that is still there."""
    statement = (
        select(Task, TaskGroup, WorkflowTask.id)
        .join(TaskGroup, Task.taskgroupv2_id == TaskGroup.id)
        .outerjoin(WorkflowTask, WorkflowTask.id == workflowtask_id)
        .where(Task.id == task_id)
    )
    row = (await session.execute(statement)).one_or_none()
    return (None, None, None) if row is None else (row[0], row[1], row[2])


async def add_run(session: AsyncSession, values: dict[str, Any]) -> int:
    return (await session.execute(insert(HistoryRun).values(**values).returning(HistoryRun.id))).scalar_one()


async def set_run_status(session: AsyncSession, run_id: int, status: str) -> None:
    """The run is over: its units are counted for good, and those who follow the job are told."""
    counts = (
        select(
            func.jsonb_build_object(
                *("submitted", func.count().filter(HistoryUnit.status == "submitted")),
                *("done", func.count().filter(HistoryUnit.status == "done")),
                *("failed", func.count().filter(HistoryUnit.status == "failed")),
                *("warned", func.count().filter(HistoryUnit.has_warnings)),
            )
        )
        .where(HistoryUnit.history_run_id == run_id)
        .scalar_subquery()
    )
    statement = update(HistoryRun).where(HistoryRun.id == run_id).values(status=status, unit_counts=counts)
    row = (await session.execute(statement.returning(HistoryRun.job_id, HistoryRun.workflowtask_id))).one()
    await events.tell(session, row[0], "run", {"run_id": run_id, "workflowtask_id": row[1], "status": status})


async def batches(session: AsyncSession, run_id: int) -> list[Batch]:
    statement = select(Batch).where(Batch.history_run_id == run_id).order_by(Batch.id)
    return list(await session.scalars(statement))


async def forget_images(session: AsyncSession, dataset_id: int, workflowtask_id: int, urls: Sequence[str]) -> None:
    """Removed images lose their status for the workflow task that removed them."""
    if urls:
        await session.execute(
            delete(HistoryImageCache).where(
                HistoryImageCache.dataset_id == dataset_id,
                HistoryImageCache.workflowtask_id == workflowtask_id,
                HistoryImageCache.zarr_url.in_(list(urls)),
            )
        )


async def account(session: AsyncSession, user_id: int, num_tasks: int, num_new_images: int) -> None:
    await session.execute(
        insert(AccountingRecord).values(user_id=user_id, num_tasks=num_tasks, num_new_images=num_new_images)
    )
