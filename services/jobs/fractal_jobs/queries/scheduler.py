"""What the scheduler says of batches: accounting by wave, evidence, and what a job used."""

from collections.abc import Sequence

from fractal_common.database.models import Batch, HistoryUnit, UnitResult
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_jobs.domain.usage import Measured, TaskUsage, Usage

# One row a wave, from its first SLURM job on; a job array counts once, a batch submitted again adds its new job.
ACCOUNT = text(
    """
    INSERT INTO jobs.accountingrecordslurm AS record (
        user_id, timestamp, slurm_job_ids, fractal_job_id, resource_id, wave)
    SELECT execution.user_id, now(), CAST(:slurm_job_ids AS int[]), batch.job_id, batch.resource_id,
           batch.history_run_id || '-' || batch.part
    FROM jobs.batch AS batch JOIN jobs.execution AS execution ON execution.job_id = batch.job_id
    WHERE batch.id = :batch_id
    ON CONFLICT (wave) DO UPDATE SET slurm_job_ids = record.slurm_job_ids || excluded.slurm_job_ids
        WHERE NOT record.slurm_job_ids @> excluded.slurm_job_ids
    """
)

# Of the newest wave only: what an earlier one said was dropped when this one began.
TELL_ERRORS = text(
    """
    UPDATE jobs.jobv2 AS job SET executor_error_log = :text
    FROM jobs.batch AS batch
    WHERE batch.id = :batch_id AND job.id = batch.job_id AND job.executor_error_log IS NULL
      AND (batch.history_run_id, batch.part) = (
          SELECT newest.history_run_id, newest.part FROM jobs.batch AS newest
          WHERE newest.job_id = batch.job_id ORDER BY newest.id DESC LIMIT 1)
    """
)

USED = text(
    """
    SELECT run.id, run.workflowtask_id, run.workflowtask_dump -> 'task' ->> 'name',
           allocation.number, allocation.measured, allocation.cpu_s, allocation.elapsed_s, allocation.peak_memory_kb,
           allocation.requested_memory_mb, process.number, process.wall_s, process.max_rss_kb
    FROM jobs.historyrun AS run
    CROSS JOIN LATERAL (
        SELECT count(batch.handle) AS number, count(batch.evidence) AS measured,
               sum((batch.evidence ->> 'cpu_s')::float) AS cpu_s,
               sum((batch.evidence ->> 'elapsed_s')::float) AS elapsed_s,
               max((batch.evidence ->> 'peak_memory_kb')::bigint) AS peak_memory_kb,
               max((batch.evidence ->> 'requested_memory_mb')::bigint) AS requested_memory_mb
        FROM jobs.batch AS batch
        JOIN jobs.resource AS resource ON resource.id = batch.resource_id AND resource.type <> 'local'
        WHERE batch.history_run_id = run.id
    ) AS allocation
    CROSS JOIN LATERAL (
        SELECT count(*) AS number, sum(result.wall_s) AS wall_s, max(result.max_rss_kb) AS max_rss_kb
        FROM jobs.historyunit AS unit JOIN jobs.unitresult AS result ON result.unit_id = unit.id
        WHERE unit.history_run_id = run.id AND unit.batch_id IS NOT NULL
    ) AS process
    WHERE run.job_id = :job_id
    ORDER BY run.id
    """
)


MEASURED = text(
    """
    SELECT job_id, count(*), sum((evidence ->> 'cpu_s')::float), sum((evidence ->> 'elapsed_s')::float),
           max((evidence ->> 'peak_memory_kb')::bigint)
    FROM jobs.batch WHERE job_id = ANY(:job_ids) AND evidence IS NOT NULL GROUP BY job_id
    """
)


async def account(session: AsyncSession, batch_id: int, slurm_job_ids: Sequence[int]) -> None:
    """SLURM jobs of the wave that the batch belongs to; none is a row as well, and repeating changes nothing."""
    await session.execute(ACCOUNT, {"batch_id": batch_id, "slurm_job_ids": list(slurm_job_ids)})


async def tell_errors(session: AsyncSession, batch_id: int, said: str) -> None:
    """What a SLURM job wrote becomes its job's `executor_error_log`, unless another one's is there already."""
    await session.execute(TELL_ERRORS, {"batch_id": batch_id, "text": said})


async def why_without_result(session: AsyncSession, unit_id: int) -> str | None:
    """The error of a unit that the scheduler ended; None if its process ended itself, or goes on."""
    statement = (
        select(UnitResult.error)
        .join(HistoryUnit, HistoryUnit.id == UnitResult.unit_id)
        .join(Batch, Batch.id == HistoryUnit.batch_id)
        .where(
            UnitResult.unit_id == unit_id,
            UnitResult.succeeded.is_(False),
            Batch.evidence.is_not(None),
            UnitResult.cause == func.lower(Batch.cause),
        )
    )
    return await session.scalar(statement)


async def used(session: AsyncSession, job_id: int) -> list[TaskUsage]:
    """By run, oldest first."""
    rows = await session.execute(USED, {"job_id": job_id})
    return [TaskUsage(row[0], row[1], row[2], Usage(*row[3:])) for row in rows]


async def measured(session: AsyncSession, job_ids: Sequence[int]) -> dict[int, Measured]:
    """By job, of those of which SLURM has told."""
    rows = await session.execute(MEASURED, {"job_ids": list(job_ids)})
    return {row[0]: Measured(*row[1:]) for row in rows}
