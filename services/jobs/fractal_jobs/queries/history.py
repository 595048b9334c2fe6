"""History as pages show it: runs with counts, units, failures."""

from collections.abc import Sequence
from typing import Any

from fractal_common.database.models import (
    Batch,
    Dataset,
    HistoryImageCache,
    HistoryRun,
    HistoryUnit,
    Job,
    Task,
    UnitResult,
    Workflow,
    WorkflowTask,
)
from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession


async def workflow_task(session: AsyncSession, workflowtask_id: int) -> WorkflowTask | None:
    return await session.get(WorkflowTask, workflowtask_id)


async def workflow(session: AsyncSession, workflow_id: int) -> Workflow | None:
    return await session.get(Workflow, workflow_id)


async def dataset(session: AsyncSession, dataset_id: int) -> Dataset | None:
    return await session.get(Dataset, dataset_id)


async def runs(session: AsyncSession, dataset_id: int, workflowtask_id: int) -> Sequence[Any]:
    """Oldest first, with the number of units by status and with warnings; only those of open runs are counted."""

    def number(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count(case((condition, 1)))

    counts = (
        select(
            HistoryUnit.history_run_id,
            number(HistoryUnit.status == "submitted").label("submitted"),
            number(HistoryUnit.status == "done").label("done"),
            number(HistoryUnit.status == "failed").label("failed"),
            number(HistoryUnit.has_warnings.is_(True)).label("warned"),
        )
        .join(HistoryRun, HistoryRun.id == HistoryUnit.history_run_id)
        .where(
            HistoryRun.dataset_id == dataset_id,
            HistoryRun.workflowtask_id == workflowtask_id,
            HistoryRun.unit_counts.is_(None),
        )
        .group_by(HistoryUnit.history_run_id)
        .subquery()
    )

    def shown(name: str) -> ColumnElement[int]:
        return func.coalesce(HistoryRun.unit_counts[name].as_integer(), counts.c[name], 0)

    statement = (
        select(
            HistoryRun.id,
            HistoryRun.timestamp_started,
            HistoryRun.workflowtask_dump,
            shown("submitted").label("num_submitted_units"),
            shown("done").label("num_done_units"),
            shown("failed").label("num_failed_units"),
            shown("warned").label("num_units_with_warnings"),
            Task.args_schema_parallel,
            Task.args_schema_non_parallel,
            Task.version,
        )
        .outerjoin(counts, counts.c.history_run_id == HistoryRun.id)
        .outerjoin(Task, Task.id == HistoryRun.task_id)
        .where(HistoryRun.dataset_id == dataset_id, HistoryRun.workflowtask_id == workflowtask_id)
        .order_by(HistoryRun.timestamp_started, HistoryRun.id)
    )
    return list(await session.execute(statement))


async def run(session: AsyncSession, run_id: int) -> HistoryRun | None:
    return await session.get(HistoryRun, run_id)


async def unit(session: AsyncSession, unit_id: int) -> HistoryUnit | None:
    return await session.get(HistoryUnit, unit_id)


async def units(
    session: AsyncSession, run_id: int, *, status: str | None, offset: int, limit: int | None
) -> tuple[int, Sequence[HistoryUnit]]:
    """Total count and a page, by id."""
    condition = [HistoryUnit.history_run_id == run_id]
    if status is not None:
        condition.append(HistoryUnit.status == status)
    total = await session.scalar(select(func.count()).select_from(HistoryUnit).where(*condition))
    statement = select(HistoryUnit).where(*condition).order_by(HistoryUnit.id).offset(offset).limit(limit)
    return total or 0, list(await session.scalars(statement))


async def latest_unit_of_image(
    session: AsyncSession, dataset_id: int, workflowtask_id: int, zarr_url: str
) -> HistoryUnit | None:
    """The newest unit that consumed the image."""
    statement = (
        select(HistoryUnit)
        .join(HistoryImageCache, HistoryImageCache.latest_history_unit_id == HistoryUnit.id)
        .where(
            HistoryImageCache.dataset_id == dataset_id,
            HistoryImageCache.workflowtask_id == workflowtask_id,
            HistoryImageCache.zarr_url == zarr_url,
        )
    )
    return await session.scalar(statement)


async def job_folder(session: AsyncSession, run_id: int) -> str | None:
    statement = select(Job.working_dir).join(HistoryRun, HistoryRun.job_id == Job.id).where(HistoryRun.id == run_id)
    return await session.scalar(statement)


MAX_ERROR_CHARACTERS = 2000


async def failures(session: AsyncSession, job_id: int, *, offset: int, limit: int | None) -> tuple[int, list[Any]]:
    """Number of a job's failed processes, and a page of them, with the beginning of their errors."""
    failed = (
        select(
            HistoryUnit.id.label("unit_id"),
            HistoryRun.id.label("run_id"),
            HistoryRun.workflowtask_dump["task"]["name"].as_string().label("task_name"),
            HistoryUnit.zarr_urls,
            HistoryUnit.logfile,
            UnitResult.cause,
            UnitResult.exit_code,
            UnitResult.signal,
            UnitResult.exception,
            func.left(UnitResult.error, MAX_ERROR_CHARACTERS).label("error"),
            UnitResult.max_rss_kb,
            UnitResult.wall_s,
            Batch.evidence.label("scheduler"),
        )
        .join(HistoryRun, HistoryRun.id == HistoryUnit.history_run_id)
        .join(UnitResult, UnitResult.unit_id == HistoryUnit.id)
        .outerjoin(Batch, Batch.id == HistoryUnit.batch_id)
        .where(HistoryRun.job_id == job_id, UnitResult.succeeded.is_(False))
    )
    total = await session.scalar(select(func.count()).select_from(failed.subquery()))
    rows = await session.execute(failed.order_by(HistoryUnit.id).offset(offset).limit(limit))
    return total or 0, list(rows)
