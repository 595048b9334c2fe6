"""A job declared failed while its work goes on: what it needs so that nothing heard of it later counts.

A batch that is `abandoned` is being stopped: its results are not recorded any more, its command is not said again,
and the engine says `batch.cancel` until the agent has told its end.
"""

from collections.abc import Sequence
from datetime import timedelta

from fractal_common.database.base import utcnow
from fractal_common.database.models import Batch, Execution, HistoryRun, Job
from fractal_common.messages import BatchCancel, JobArchive
from sqlalchemy import exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_jobs.domain.states import BatchState
from fractal_jobs.queries import outbox

REPEATED_FOR = timedelta(days=1)
"""An agent that has not told the end of a batch by then never had it."""


async def lock_execution(session: AsyncSession, job_id: int) -> Execution | None:
    """Waits for the engine replica that is at work on the job."""
    return await session.scalar(select(Execution).where(Execution.job_id == job_id).with_for_update())


async def abandon(session: AsyncSession, job: Job) -> int:
    """Stop all batches of a job that lack results; returns how many.

    Whoever records results holds the batch's row lock: what was recorded before counts, what comes after does not.
    """
    at_work = Batch.state.not_in([BatchState.ENDED, BatchState.ABANDONED])
    statement = (
        update(Batch)
        .where(Batch.job_id == job.id, at_work, Batch.remaining > 0)
        .values(state=BatchState.ABANDONED, heard_at=utcnow())
        .returning(Batch.name, Batch.resource_id)
    )
    rows = list(await session.execute(statement))
    await _cancel(session, [(name, resource_id, job.id, job.working_dir) for name, resource_id in rows])
    return len(rows)


async def repeat_cancels(session: AsyncSession, resources: Sequence[int], silence: timedelta) -> int:
    """Say `batch.cancel` again for abandoned batches whose end was not told; returns for how many."""
    silent = (
        select(Batch.id)
        .where(
            Batch.state == BatchState.ABANDONED,
            Batch.resource_id.in_(resources),
            Batch.heard_at < utcnow() - silence,
            Batch.created_at > utcnow() - REPEATED_FOR,
        )
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    statement = (
        update(Batch)
        .where(Batch.id.in_(silent), Job.id == Batch.job_id)
        .values(heard_at=utcnow())
        .returning(Batch.name, Batch.resource_id, Job.id, Job.working_dir)
    )
    rows = [(row[0], row[1], row[2], row[3]) for row in await session.execute(statement)]
    await _cancel(session, rows)
    return len(rows)


async def latest_run(session: AsyncSession, job_id: int) -> int | None:
    return await session.scalar(select(func.max(HistoryRun.id)).where(HistoryRun.job_id == job_id))


async def archive_when_still(session: AsyncSession, job_id: int) -> None:
    """Have the job's folder archived, unless a batch of it is still being stopped: the last one's end comes here."""
    still = ~exists().where(Batch.job_id == job_id, Batch.state == BatchState.ABANDONED)
    statement = (
        select(Execution.resource_id, Execution.workflow_log, Job.working_dir)
        .join(Job, Job.id == Execution.job_id)
        .where(Job.id == job_id, still)
    )
    for resource_id, workflow_log, working_dir in await session.execute(statement):
        if resource_id is not None and working_dir is not None:
            message = JobArchive(job_id=job_id, working_dir=working_dir, workflow_log=workflow_log)
            await outbox.add(session, resource_id, "batch.archive", message)


async def _cancel(session: AsyncSession, batches: Sequence[tuple[str, int, int, str | None]]) -> None:
    """`batches`: name, resource, job and the job's folder."""
    by_resource: dict[int, list[BatchCancel]] = {}
    for name, resource_id, job_id, working_dir in batches:
        message = BatchCancel(batch=name, job_id=job_id, working_dir=working_dir or "/")
        by_resource.setdefault(resource_id, []).append(message)
    for resource_id, messages in by_resource.items():
        await outbox.add(session, resource_id, "batch.cancel", *messages)
