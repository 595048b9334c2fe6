"""Units of history runs: planned in bulk, their results recorded once."""

import json
from collections.abc import Sequence
from typing import Any

from fractal_common.database.models import (
    DatasetImage,
    HistoryImageCache,
    HistoryUnit,
    UnitResult,
)
from fractal_common.messages import SchedulerEvidence
from sqlalchemy import and_, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_jobs.domain.causes import Failures
from fractal_jobs.domain.planning import NON_PARALLEL

UNSET = "unset"

INSERT = text(
    """
    WITH v AS (
        SELECT * FROM jsonb_to_recordset(CAST(:units AS jsonb))
            AS v(batch_id int, index int, logfile text, zarr_urls jsonb, before jsonb, after jsonb)
    ), unit AS (
        INSERT INTO jobs.historyunit (history_run_id, part, index, logfile, zarr_urls, status, batch_id)
        SELECT :run_id, :part, v.index, v.logfile, ARRAY(SELECT jsonb_array_elements_text(v.zarr_urls)), 'submitted',
               v.batch_id
        FROM v ORDER BY v.index
        RETURNING id, index
    )
    INSERT INTO jobs.unitinput (unit_id, before, after)
    SELECT unit.id, v.before, v.after FROM unit JOIN v USING (index)
    """
)

REMEMBER = text(
    """
    INSERT INTO jobs.historyimagecache (zarr_url, dataset_id, workflowtask_id, latest_history_unit_id)
    SELECT DISTINCT ON (url) url, :dataset_id, :workflowtask_id, unit.id
    FROM jobs.historyunit AS unit, unnest(unit.zarr_urls) AS url
    WHERE unit.history_run_id = :run_id AND unit.part = :part
    ORDER BY url, unit.id
    ON CONFLICT (zarr_url, dataset_id, workflowtask_id)
        DO UPDATE SET latest_history_unit_id = excluded.latest_history_unit_id
    """
)

RECORD = text(
    """
    WITH v AS (
        SELECT * FROM jsonb_to_recordset(CAST(:results AS jsonb)) AS v(
            index int, succeeded bool, output jsonb, error text, cause text, exception text, exit_code int,
            signal int, max_rss_kb bigint, wall_s float, has_warnings bool)
    ), result AS (
        INSERT INTO jobs.unitresult (
            unit_id, succeeded, output, error, cause, exception, exit_code, signal, max_rss_kb, wall_s)
        SELECT unit.id, v.succeeded, v.output, v.error, v.cause, v.exception, v.exit_code, v.signal, v.max_rss_kb,
               v.wall_s
        FROM v JOIN jobs.historyunit AS unit ON unit.batch_id = :batch_id AND unit.index = v.index
        ON CONFLICT (unit_id) DO NOTHING
        RETURNING unit_id, succeeded
    ), marked AS (
        UPDATE jobs.historyunit AS unit
        SET has_warnings = v.has_warnings,
            status = CASE
                WHEN result.succeeded AND :shows_success THEN 'done'
                WHEN NOT result.succeeded AND :shows_failure THEN 'failed'
                ELSE unit.status END
        FROM result, v
        WHERE unit.id = result.unit_id AND v.index = unit.index
        RETURNING unit.id
    )
    UPDATE jobs.batch
    SET remaining = remaining - (SELECT count(*) FROM marked), heard_at = now(),
        state = CASE WHEN state = 'ended' THEN state ELSE 'running' END
    WHERE id = :batch_id
    RETURNING remaining
    """
)


async def insert(session: AsyncSession, *, run_id: int, part: str, units: Sequence[dict[str, Any]]) -> None:
    """`units` have batch_id, index, logfile, zarr_urls, before and after."""
    await session.execute(INSERT, {"run_id": run_id, "part": part, "units": json.dumps(units)})


async def remember_images(
    session: AsyncSession, *, run_id: int, part: str, dataset_id: int, workflowtask_id: int
) -> None:
    """Point the image cache of this workflow task to the run's units."""
    await session.execute(
        REMEMBER,
        {"run_id": run_id, "part": part, "dataset_id": dataset_id, "workflowtask_id": workflowtask_id},
    )


async def record(
    session: AsyncSession,
    batch_id: int,
    results: Sequence[dict[str, Any]],
    *,
    shows_success: bool,
    shows_failure: bool,
) -> int:
    """Record what is not recorded yet; returns how many units of the batch still lack a result."""
    return (
        await session.execute(
            RECORD,
            {
                "batch_id": batch_id,
                "results": json.dumps(results),
                "shows_success": shows_success,
                "shows_failure": shows_failure,
            },
        )
    ).scalar_one()


async def missing(session: AsyncSession, batch_id: int) -> list[int]:
    """Indices of a batch's units without a result."""
    statement = (
        select(HistoryUnit.index)
        .outerjoin(UnitResult, UnitResult.unit_id == HistoryUnit.id)
        .where(HistoryUnit.batch_id == batch_id, UnitResult.unit_id.is_(None))
        .order_by(HistoryUnit.index)
    )
    return list(await session.scalars(statement))


async def count(session: AsyncSession, batch_id: int) -> int:
    statement = select(func.count()).select_from(HistoryUnit).where(HistoryUnit.batch_id == batch_id)
    return (await session.execute(statement)).scalar_one()


async def total(session: AsyncSession, run_id: int) -> int:
    """Processes of a run."""
    statement = select(func.count()).select_from(HistoryUnit).where(HistoryUnit.history_run_id == run_id)
    return (await session.execute(statement)).scalar_one()


async def results(session: AsyncSession, run_id: int) -> list[tuple[str, int, list[str], bool, Any]]:
    """Part, index, images, success and output of a run's units, init part first, in index order."""
    statement = (
        select(HistoryUnit.part, HistoryUnit.index, HistoryUnit.zarr_urls, UnitResult.succeeded, UnitResult.output)
        .join(UnitResult, UnitResult.unit_id == HistoryUnit.id)
        .where(HistoryUnit.history_run_id == run_id)
        .order_by(HistoryUnit.part, HistoryUnit.index)
    )
    return list(await session.execute(statement))


async def first_error(session: AsyncSession, run_id: int, parts: Sequence[str]) -> str:
    """Error of the failed unit with the lowest index; errors are long, and the others' are not loaded."""
    statement = (
        select(UnitResult.error)
        .join(HistoryUnit, HistoryUnit.id == UnitResult.unit_id)
        .where(HistoryUnit.history_run_id == run_id, HistoryUnit.part.in_(parts), UnitResult.succeeded.is_(False))
        .order_by(HistoryUnit.part, HistoryUnit.index)
        .limit(1)
    )
    return await session.scalar(statement) or ""


FAILURES = text(
    """
    SELECT count(*), result.cause, result.exit_code, result.signal, result.exception, max(result.max_rss_kb),
           max(result.wall_s), min(said ->> 'job_id'), said ->> 'state', said ->> 'exit_code', said ->> 'reason',
           max((said ->> 'requested_memory_mb')::bigint), max((said ->> 'peak_memory_kb')::bigint)
    FROM jobs.unitresult AS result
    JOIN jobs.historyunit AS unit ON unit.id = result.unit_id
    LEFT JOIN jobs.batch AS batch ON batch.id = unit.batch_id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN result.cause = lower(batch.cause) THEN batch.evidence END AS said) AS scheduler
    WHERE unit.history_run_id = :run_id AND NOT result.succeeded
    GROUP BY result.cause, result.exit_code, result.signal, result.exception, said ->> 'state', said ->> 'exit_code',
             said ->> 'reason'
    """
)


async def failures(session: AsyncSession, run_id: int) -> list[Failures]:
    """Failed units of a run, those that failed alike together."""
    return [_failures(row) for row in await session.execute(FAILURES, {"run_id": run_id})]


def _failures(row: Sequence[Any]) -> Failures:
    names = ("count", "cause", "exit_code", "signal", "exception", "max_rss_kb", "wall_s")
    words = ("job_id", "state", "exit_code", "reason", "requested_memory_mb", "peak_memory_kb")
    said = dict(zip(words, row[len(names) :], strict=True))
    scheduler = None if said["state"] is None else SchedulerEvidence.model_validate(said)
    return Failures(**dict(zip(names, row, strict=False)), scheduler=scheduler)


async def failed(session: AsyncSession, run_id: int) -> list[tuple[str, int, list[str]]]:
    """Part, index and images of the units of a run whose process failed, in index order."""
    statement = (
        select(HistoryUnit.part, HistoryUnit.index, HistoryUnit.zarr_urls)
        .outerjoin(UnitResult, UnitResult.unit_id == HistoryUnit.id)
        .where(HistoryUnit.history_run_id == run_id, UnitResult.succeeded.is_not(True))
        .order_by(HistoryUnit.part, HistoryUnit.index)
    )
    return list(await session.execute(statement))


async def init_output(session: AsyncSession, run_id: int) -> Any:
    """What the init process of a compound task returned; None if it did not succeed."""
    statement = (
        select(UnitResult.output)
        .join(HistoryUnit, HistoryUnit.id == UnitResult.unit_id)
        .where(HistoryUnit.history_run_id == run_id, HistoryUnit.part == NON_PARALLEL, UnitResult.succeeded)
    )
    return await session.scalar(statement)


async def add_succeeded_init(
    session: AsyncSession, *, run_id: int, zarr_urls: Sequence[str], logfile: str, output: Any
) -> None:
    """The umbrella unit of a compound task whose init process need not run again."""
    unit = HistoryUnit(
        history_run_id=run_id,
        part=NON_PARALLEL,
        index=0,
        zarr_urls=list(zarr_urls),
        logfile=logfile,
        status="submitted",
        has_warnings=False,
    )
    session.add(unit)
    await session.flush()
    session.add(UnitResult(unit_id=unit.id, succeeded=True, output=output))
    await session.flush()


async def image_statuses(session: AsyncSession, dataset_id: int, workflowtask_id: int) -> dict[str, str]:
    """Status of every image of a dataset for a workflow task; `unset` where no unit consumed it."""
    statement = (
        select(DatasetImage.zarr_url, func.coalesce(HistoryUnit.status, UNSET))
        .outerjoin(
            HistoryImageCache,
            and_(
                HistoryImageCache.zarr_url == DatasetImage.zarr_url,
                HistoryImageCache.dataset_id == dataset_id,
                HistoryImageCache.workflowtask_id == workflowtask_id,
            ),
        )
        .outerjoin(HistoryUnit, HistoryUnit.id == HistoryImageCache.latest_history_unit_id)
        .where(DatasetImage.dataset_id == dataset_id)
    )
    return {row[0]: row[1] for row in await session.execute(statement)}


async def set_all(session: AsyncSession, run_id: int, status: str) -> None:
    await session.execute(update(HistoryUnit).where(HistoryUnit.history_run_id == run_id).values(status=status))
