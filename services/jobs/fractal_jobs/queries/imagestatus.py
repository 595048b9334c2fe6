"""Images with their status for a workflow task: that of the newest unit that consumed them.

The status can be filtered on, as the pseudo-attribute that clients know.
"""

from collections.abc import Sequence
from typing import Any

from fractal_common.database.models import DatasetImage, HistoryImageCache, HistoryUnit
from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from fractal_jobs.domain.images import STATUS_ATTRIBUTE, Image
from fractal_jobs.queries import images
from fractal_jobs.queries.images import Filters
from fractal_jobs.queries.imagesummaries import Summary
from fractal_jobs.queries.units import UNSET

STATUS: ColumnElement[str] = func.coalesce(HistoryUnit.status, UNSET)


def _without_status(filters: Filters) -> tuple[Filters, list[str] | None]:
    """The filters that the list itself can answer, and the statuses asked for."""
    attributes = dict(filters.attributes)
    wanted = attributes.pop(STATUS_ATTRIBUTE, None)
    plain = Filters(filters.types, attributes, filters.zarr_url)
    return plain, None if wanted is None else [str(value) for value in wanted]


async def page(
    session: AsyncSession,
    dataset_id: int,
    workflowtask_id: int,
    filters: Filters,
    summary: Summary,
    *,
    offset: int = 0,
    limit: int | None = None,
) -> tuple[int, list[tuple[Image, str, bool | None]]]:
    """Total count, and images by URL, each with its status and whether its unit has warnings."""
    plain, wanted = _without_status(filters)
    condition = plain.conditions(dataset_id)
    if wanted is None:
        # The page first, and the status of its images then: whatever the planner thinks, no others are looked up.
        total = await images.count(session, dataset_id, plain, summary)
        chosen = select(DatasetImage).where(condition).order_by(DatasetImage.zarr_url, DatasetImage.copy)
        image = aliased(DatasetImage, chosen.offset(offset).limit(limit).subquery())
        rows = await session.execute(_columns(image, dataset_id, workflowtask_id).order_by(image.zarr_url, image.copy))
        return total, [_row(row) for row in rows]
    found = _columns(DatasetImage, dataset_id, workflowtask_id).where(condition, STATUS.in_(wanted))
    counted = found.add_columns(func.count().over().label("total"))
    statement = counted.order_by(DatasetImage.zarr_url, DatasetImage.copy).offset(offset).limit(limit)
    rows = list(await session.execute(statement))
    if rows:
        return rows[0][6], [_row(row) for row in rows]
    # Beyond the end there is no row to carry the count.
    return (await session.scalar(select(func.count()).select_from(found.subquery())) or 0) if offset else 0, []


async def type_combinations(
    session: AsyncSession, dataset_id: int, workflowtask_id: int, filters: Filters
) -> list[dict[str, bool]]:
    """Every combination of types that the selected images have."""
    plain, wanted = _without_status(filters)
    statement = select(DatasetImage.types).where(plain.conditions(dataset_id)).group_by(DatasetImage.types)
    if wanted is not None:
        statement = _joined(statement, DatasetImage, dataset_id, workflowtask_id).where(STATUS.in_(wanted))
    return list(await session.scalars(statement))


async def unfinished(session: AsyncSession, dataset_id: int, workflowtask_id: int, filters: Filters) -> list[str]:
    """URLs of the selected images whose status is not `done`; here the status is no attribute, and matches none."""
    statement = select(DatasetImage.zarr_url).where(filters.conditions(dataset_id), STATUS != "done")
    statement = _joined(statement, DatasetImage, dataset_id, workflowtask_id)
    return list(await session.scalars(statement.order_by(DatasetImage.id)))


def _columns(image: type[DatasetImage], dataset_id: int, workflowtask_id: int) -> "Select[*tuple[Any, ...]]":
    columns = (image.zarr_url, image.origin, image.attributes, image.types, STATUS, HistoryUnit.has_warnings)
    return _joined(select(*columns), image, dataset_id, workflowtask_id)


def _joined(
    statement: "Select[*tuple[Any, ...]]", image: type[DatasetImage], dataset_id: int, workflowtask_id: int
) -> "Select[*tuple[Any, ...]]":
    """With the newest unit that consumed each image, if any did."""
    latest = and_(
        HistoryImageCache.zarr_url == image.zarr_url,
        HistoryImageCache.dataset_id == dataset_id,
        HistoryImageCache.workflowtask_id == workflowtask_id,
    )
    return (
        statement.select_from(image)
        .outerjoin(HistoryImageCache, latest)
        .outerjoin(HistoryUnit, HistoryUnit.id == HistoryImageCache.latest_history_unit_id)
    )


def _row(row: Sequence[Any]) -> tuple[Image, str, bool | None]:
    return Image(row[0], row[1], row[2], row[3]), row[4], row[5]
