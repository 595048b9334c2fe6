"""Batches: written a wave at a time, read a group at a time."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fractal_common.database.models import Batch, HistoryUnit, UnitInput
from sqlalchemy import exists, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

ADD = text(
    """
    INSERT INTO jobs.batch (
        name, job_id, history_run_id, resource_id, part, state, spec, remaining, created_at, heard_at)
    SELECT v.name, :job_id, :run_id, :resource_id, :part, 'planned', CAST(:spec AS jsonb) || v.own, v.remaining,
           now(), now()
    FROM jsonb_to_recordset(CAST(:batches AS jsonb)) AS v(index int, name text, own jsonb, remaining int)
    ORDER BY v.index
    RETURNING name, id
    """
)

# Others that change many batches at once may hold some of them; those are heard of again soon.
HEARD = text(
    """
    UPDATE jobs.batch SET heard_at = now()
    WHERE id IN (
        SELECT batch.id FROM jobs.batch AS batch
        JOIN jsonb_each_text(CAST(:results AS jsonb)) AS told(name, results) ON told.name = batch.name
        WHERE batch.state <> 'abandoned' AND told.results::int <= (
            SELECT count(*) FROM jobs.historyunit AS unit WHERE unit.batch_id = batch.id) - batch.remaining
        FOR UPDATE OF batch SKIP LOCKED)
    """
)


async def add(
    session: AsyncSession,
    *,
    job_id: int,
    run_id: int,
    resource_id: int,
    part: str,
    spec: dict[str, Any],
    batches: Sequence[dict[str, Any]],
) -> list[int]:
    """`batches` have index, name, remaining, and what is their `own` in `spec`; returns ids in their order."""
    rows = await session.execute(
        ADD,
        {
            "job_id": job_id,
            "run_id": run_id,
            "resource_id": resource_id,
            "part": part,
            "spec": json.dumps(spec),
            "batches": json.dumps(batches),
        },
    )
    ids = {row[0]: row[1] for row in rows}
    return [ids[batch["name"]] for batch in batches]


async def heard(session: AsyncSession, results: Mapping[str, int]) -> None:
    """Signs of life; not of a batch of which its agent has told more results than have arrived: it is asked again."""
    await session.execute(HEARD, {"results": json.dumps(dict(results))})


async def is_any_open(session: AsyncSession, run_id: int) -> bool:
    """Whether results of a run are still to come."""
    statement = select(exists().where(Batch.history_run_id == run_id, Batch.remaining > 0))
    return bool(await session.scalar(statement))


async def open_names(session: AsyncSession, run_id: int) -> list[str]:
    """Names of a run's batches whose results are not all in."""
    statement = select(Batch.name).where(Batch.history_run_id == run_id, Batch.remaining > 0).order_by(Batch.id)
    return list(await session.scalars(statement))


async def with_specs(session: AsyncSession, ids: Sequence[int]) -> dict[int, Batch]:
    """Batches by id, with what their commands say."""
    statement = select(Batch).where(Batch.id.in_(ids)).options(undefer(Batch.spec))
    return {batch.id: batch for batch in await session.scalars(statement)}


Input = tuple[int, str, dict[str, Any], dict[str, Any]]
"""Index, log file, `before` and `after` of a unit."""


async def inputs(session: AsyncSession, ids: Sequence[int]) -> dict[int, list[Input]]:
    """The units of each batch, in index order."""
    statement = (
        select(HistoryUnit.batch_id, HistoryUnit.index, HistoryUnit.logfile, UnitInput.before, UnitInput.after)
        .join(UnitInput, UnitInput.unit_id == HistoryUnit.id)
        .where(HistoryUnit.batch_id.in_(ids))
        .order_by(HistoryUnit.batch_id, HistoryUnit.index)
    )
    found: dict[int, list[Input]] = {batch_id: [] for batch_id in ids}
    for batch_id, index, logfile, before, after in await session.execute(statement):
        assert batch_id is not None, "the condition is on it"
        found[batch_id].append((index, logfile, before, after))
    return found
