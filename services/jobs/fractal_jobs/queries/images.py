"""Image lists as rows."""

import json
from collections.abc import Iterable, Sequence

from fractal_common.database.models import DatasetImage
from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_jobs.domain.images import Image


async def load(session: AsyncSession, dataset_id: int) -> list[Image]:
    """The whole list, in its order."""
    statement = (
        select(DatasetImage.zarr_url, DatasetImage.origin, DatasetImage.attributes, DatasetImage.types)
        .where(DatasetImage.dataset_id == dataset_id)
        .order_by(DatasetImage.id)
    )
    return [Image(*row) for row in (await session.execute(statement))]


async def load_for_update(session: AsyncSession, dataset_id: int, urls: Iterable[str]) -> dict[str, Image]:
    """Those of `urls` that exist, locked until the transaction ends: other writers wait and lose nothing."""
    statement = (
        select(DatasetImage.zarr_url, DatasetImage.origin, DatasetImage.attributes, DatasetImage.types)
        .where(DatasetImage.dataset_id == dataset_id, DatasetImage.zarr_url.in_(list(urls)))
        .order_by(DatasetImage.id)
        .with_for_update()
    )
    return {row[0]: Image(*row) for row in (await session.execute(statement))}


WRITE = text(
    """
    INSERT INTO jobs.datasetimage (dataset_id, zarr_url, origin, attributes, types)
    SELECT :dataset_id, v.zarr_url, v.origin, v.attributes, v.types
    FROM ROWS FROM (
        jsonb_to_recordset(CAST(:images AS jsonb)) AS (zarr_url text, origin text, attributes jsonb, types jsonb)
    ) WITH ORDINALITY AS v(zarr_url, origin, attributes, types, position)
    ORDER BY v.position
    ON CONFLICT (dataset_id, zarr_url, copy) DO UPDATE
        SET origin = excluded.origin, attributes = excluded.attributes, types = excluded.types
    """
)


async def write(session: AsyncSession, dataset_id: int, images: Sequence[Image]) -> None:
    """Change images in place; append those that are new, in the order given."""
    if images:
        rows = [
            {
                "zarr_url": image.zarr_url,
                "origin": image.origin,
                "attributes": dict(image.attributes),
                "types": dict(image.types),
            }
            for image in images
        ]
        await session.execute(WRITE, {"dataset_id": dataset_id, "images": json.dumps(rows)})


async def remove(session: AsyncSession, dataset_id: int, urls: Sequence[str]) -> None:
    if urls:
        await session.execute(
            delete(DatasetImage).where(DatasetImage.dataset_id == dataset_id, DatasetImage.zarr_url.in_(list(urls)))
        )
