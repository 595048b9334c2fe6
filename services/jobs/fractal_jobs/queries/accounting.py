"""What was run for whom."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fractal_common.database.models import AccountingRecord, AccountingRecordSlurm
from fractal_common.http.pagination import PaginationRequest
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_jobs.queries.pages import page


def _restricted(
    statement: Select[Any],
    table: type[AccountingRecord] | type[AccountingRecordSlurm],
    user_id: int | None,
    earliest: datetime | None,
    latest: datetime | None,
) -> Select[Any]:
    if user_id is not None:
        statement = statement.where(table.user_id == user_id)
    if earliest is not None:
        statement = statement.where(table.timestamp >= earliest)
    if latest is not None:
        statement = statement.where(table.timestamp <= latest)
    return statement


async def records(
    session: AsyncSession,
    pages: PaginationRequest,
    *,
    user_id: int | None,
    earliest: datetime | None,
    latest: datetime | None,
) -> tuple[int, Sequence[AccountingRecord]]:
    """Total count, and a page in the order in which they were written."""
    statement = select(AccountingRecord).order_by(AccountingRecord.id)
    total, rows = await page(session, _restricted(statement, AccountingRecord, user_id, earliest, latest), pages)
    return total, [row[0] for row in rows]


async def slurm_job_ids(
    session: AsyncSession,
    *,
    user_id: int | None,
    earliest: datetime | None,
    latest: datetime | None,
    fractal_job_id: int | None,
    resource_id: int | None,
) -> Sequence[int]:
    """Ids of all SLURM jobs, record by record."""
    ids = func.unnest(AccountingRecordSlurm.slurm_job_ids)
    statement = _restricted(
        select(ids).order_by(AccountingRecordSlurm.id), AccountingRecordSlurm, user_id, earliest, latest
    )
    if fractal_job_id is not None:
        statement = statement.where(AccountingRecordSlurm.fractal_job_id == fractal_job_id)
    if resource_id is not None:
        statement = statement.where(AccountingRecordSlurm.resource_id == resource_id)
    return list(await session.scalars(statement))
