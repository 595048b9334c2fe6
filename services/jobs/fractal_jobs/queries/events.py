"""What those who follow a job live are told: appended by the engine, read by every api replica."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fractal_common.database.base import utcnow
from fractal_common.database.models import Execution, HistoryRun, HistoryUnit, Job, JobEvent, UnitResult
from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

CHANNEL = "fractal_job"

TELL = text(
    """
    WITH told AS (
        INSERT INTO jobs.jobevent (job_id, type, data) VALUES (:job_id, :type, CAST(:data AS jsonb))
        RETURNING job_id, type
    )
    SELECT pg_notify('fractal_job', job_id || ' ' || type) FROM told
    """
)

# Nothing is shown that a transaction still open could put something in front of.
AFTER = text(
    """
    SELECT xid, id, type, data, at FROM jobs.jobevent
    WHERE job_id = :job_id AND (xid, id) > (:xid, :id) AND xid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
    ORDER BY xid, id LIMIT :limit
    """
)


@dataclass(frozen=True, order=True)
class Position:
    """Where somebody is in a job's events; `0-0` is before the first."""

    xid: int = 0
    id: int = 0

    def __str__(self) -> str:
        return f"{self.xid}-{self.id}"

    @classmethod
    def parse(cls, value: str) -> "Position":
        """Raises ValueError."""
        xid, _, number = value.partition("-")
        position = cls(int(xid), int(number))
        if not (0 <= position.xid < 2**63 and 0 <= position.id < 2**63):
            raise ValueError(value)
        return position


@dataclass(frozen=True)
class Told:
    """One event: its position, `job`, `run` or `units`, and what it says."""

    position: Position
    type: str
    data: dict[str, Any]
    at: str


async def tell(session: AsyncSession, job_id: int, kind: str, data: dict[str, Any]) -> None:
    """Visible, and announced to those who listen, when the transaction commits."""
    await session.execute(TELL, {"job_id": job_id, "type": kind, "data": json.dumps(data)})


async def after(session: AsyncSession, job_id: int, position: Position, limit: int) -> Sequence[Told]:
    """Events behind a position, in an order into which nothing is inserted later."""
    found = await session.execute(AFTER, {"job_id": job_id, "xid": position.xid, "id": position.id, "limit": limit})
    return [Told(Position(row[0], row[1]), row[2], row[3], row[4].isoformat()) for row in found]


async def counts(session: AsyncSession, run_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """For each run how many of its processes are done, failed, and not finished."""
    statement = (
        select(
            HistoryUnit.history_run_id,
            func.count().filter(UnitResult.succeeded),
            func.count().filter(UnitResult.succeeded.is_(False)),
            func.count().filter(UnitResult.unit_id.is_(None)),
        )
        .outerjoin(UnitResult, UnitResult.unit_id == HistoryUnit.id)
        .where(HistoryUnit.history_run_id.in_(run_ids))
        .group_by(HistoryUnit.history_run_id)
    )
    rows = await session.execute(statement)
    return {row[0]: {"done": row[1], "failed": row[2], "submitted": row[3]} for row in rows}


async def log_of_job(session: AsyncSession, job_id: int) -> tuple[str, str, str | None]:
    """Status, progress log, and final log."""
    statement = (
        select(Job.status, Execution.workflow_log, Job.log)
        .join(Execution, Execution.job_id == Job.id)
        .where(Job.id == job_id)
    )
    row = (await session.execute(statement)).one_or_none()
    return ("failed", "", None) if row is None else (row[0], row[1], row[2])


async def unit_of_job(session: AsyncSession, job_id: int, unit_id: int) -> tuple[str, bool] | None:
    """Log file of a unit, and whether its process has ended; None if the job has no such unit."""
    statement = (
        select(HistoryUnit.logfile, UnitResult.unit_id.is_not(None))
        .join(HistoryRun, HistoryRun.id == HistoryUnit.history_run_id)
        .outerjoin(UnitResult, UnitResult.unit_id == HistoryUnit.id)
        .where(HistoryRun.job_id == job_id, HistoryUnit.id == unit_id)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1])


async def prune(session: AsyncSession, older_than: timedelta) -> None:
    """Forget old events, but for those of jobs that are not over."""
    over = select(Job.id).where(Job.id == JobEvent.job_id, Job.status != "submitted").exists()
    await session.execute(delete(JobEvent).where(JobEvent.at < utcnow() - older_than, over))
