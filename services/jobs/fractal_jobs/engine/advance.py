"""Bringing one job as far as it can go without hearing from the cluster."""

import traceback

from fractal_common.database.base import utcnow
from fractal_common.database.models import Execution, Job
from fractal_common.database.sessions import Database
from fractal_common.telemetry import get_logger
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_jobs.domain import joblog
from fractal_jobs.domain.states import JobState, is_final
from fractal_jobs.engine.closing import close_part
from fractal_jobs.engine.progress import Progress
from fractal_jobs.engine.starting import begin, start_task
from fractal_jobs.queries import abandoning, batches, events, executions, units

log = get_logger(__name__)


async def advance(database: Database, job_id: int) -> None:
    """One transaction, under the job's row lock; nothing if another replica has it.

    An error of ours fails the job instead of looping; an error of the database is raised, and the job stays due.
    """
    try:
        async with database.transaction() as session:
            # What changes in the job's own row is written once, at the end.
            with session.no_autoflush:
                await _advance(session, job_id)
    except DBAPIError as error:
        if error.connection_invalidated or getattr(error.orig, "sqlstate", None) is None:
            raise
        await _fail(database, job_id, error)
    except Exception as error:
        await _fail(database, job_id, error)


async def _advance(session: AsyncSession, job_id: int) -> None:
    execution = await executions.lock(session, job_id)
    if execution is None or is_final(execution.state) or execution.wake_at is None:
        return
    execution.wake_at = None
    progress = await _open(session, execution)
    if progress is None:
        return
    while not is_final(execution.state):
        if execution.state == JobState.ACCEPTED:
            await begin(progress)
        elif execution.state == JobState.READY:
            await _next(progress)
            if execution.state == JobState.RUNNING:
                return  # its batches have just been written
        else:
            assert execution.run_id is not None, "a running job has a run"
            await session.flush()
            if await batches.is_any_open(session, execution.run_id):
                if execution.stop_requested_at is not None:
                    await progress.cancel(await batches.open_names(session, execution.run_id))
                return
            await close_part(progress)


async def _next(progress: Progress) -> None:
    if progress.execution.position == len(progress.tasks):
        await progress.finish()
    elif progress.execution.stop_requested_at is not None:
        await progress.fail(joblog.task_failure(progress.job.id, joblog.STOPPED))
    else:
        await start_task(progress)


async def _open(session: AsyncSession, execution: Execution) -> Progress | None:
    """The job's rows; a job whose dataset or workflow is gone fails at once."""
    job = await executions.job(session, execution.job_id)
    workflow, dataset = await executions.workflow_and_dataset(session, job)
    if dataset is None or (workflow is None and execution.state == JobState.ACCEPTED):
        where = f"{job.dataset_dump['id']} and/or workflow {job.workflow_dump['id']}"
        await _finalise(session, execution, job, f"Cannot fetch dataset {where} (as part of job {job.id}).")
        return None
    return Progress(session, execution, job, dataset)


async def _fail(database: Database, job_id: int, error: Exception) -> None:
    log.error("job.failed_by_error", job_id=job_id, error=repr(error))
    text = "".join(traceback.format_exception(error))
    async with database.transaction() as session:
        execution = await executions.lock(session, job_id)
        if execution is None or is_final(execution.state):
            return
        if execution.run_id is not None:
            await units.set_all(session, execution.run_id, "failed")
            await executions.set_run_status(session, execution.run_id, "failed")
        await _finalise(session, execution, await executions.job(session, job_id), joblog.unknown_error(job_id, text))


async def _finalise(session: AsyncSession, execution: Execution, job: Job, text: str) -> None:
    execution.state = JobState.FAILED
    execution.wake_at = None
    job.status = "failed"
    job.end_timestamp = utcnow()
    job.log = joblog.clean_text(text)
    await abandoning.abandon(session, job)
    await events.tell(session, job.id, "job", {"status": job.status})
