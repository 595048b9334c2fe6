"""Folders of jobs, and as whom to read them."""

from collections.abc import Collection
from typing import Any

from fractal_common.database.models import Execution, HistoryRun, Job, Profile
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from fractal_jobs.domain.folders import JobFolder


async def of_job(session: AsyncSession, job_id: int) -> JobFolder | None:
    """None before it has one."""
    return (await of_jobs(session, [job_id])).get(job_id)


async def of_jobs(session: AsyncSession, job_ids: Collection[int]) -> dict[int, JobFolder]:
    """By job, of those that have one."""
    rows = await session.execute(_folders(Job.id).where(Job.id.in_(job_ids)))
    return {row[0]: JobFolder(*row[1:]) for row in rows}


async def of_run(session: AsyncSession, run_id: int) -> JobFolder | None:
    """The folder of the job whose run this is."""
    statement = _folders(HistoryRun.id).join(HistoryRun, HistoryRun.job_id == Job.id).where(HistoryRun.id == run_id)
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else JobFolder(*row[1:])


def _folders(key: InstrumentedAttribute[int]) -> "Select[*tuple[Any, ...]]":
    return (
        select(key, Job.working_dir, func.coalesce(Job.working_dir_user, Job.working_dir), Profile.username)
        .select_from(Job)
        .outerjoin(Execution, Execution.job_id == Job.id)
        .outerjoin(Profile, Profile.id == Execution.profile_id)
        .where(Job.working_dir.is_not(None))
    )
