"""Image lists as rows."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from fractal_common.database.models import DatasetImage, HistoryImageCache
from fractal_common.http.pagination import MAX_OFFSET
from sqlalchemy import (
    TEXT,
    ColumnElement,
    Integer,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    cast,
    delete,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from fractal_jobs.domain.images import Image
from fractal_jobs.queries import documents, imagesummaries
from fractal_jobs.queries.imagesummaries import Summary


async def documents_of(connection: AsyncConnection, dataset_id: int) -> Sequence[str]:
    """The whole list in its order, as JSON texts."""
    return await documents.read(connection, _documents_of(), {"dataset_id": dataset_id})


@cache
def _documents_of() -> Select[str]:
    image = select(DatasetImage.zarr_url, DatasetImage.origin, DatasetImage.attributes, DatasetImage.types)
    image = image.where(DatasetImage.dataset_id == bindparam("dataset_id", type_=Integer))
    return documents.documents(image.order_by(DatasetImage.id))


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
        rows = [_row(image) for image in images]
        await session.execute(WRITE, {"dataset_id": dataset_id, "images": json.dumps(rows)})


async def remove(session: AsyncSession, dataset_id: int, urls: Sequence[str]) -> None:
    if urls:
        await session.execute(
            delete(DatasetImage).where(DatasetImage.dataset_id == dataset_id, DatasetImage.zarr_url.in_(list(urls)))
        )


IMPORT = text(
    """
    INSERT INTO jobs.datasetimage (dataset_id, zarr_url, copy, origin, attributes, types)
    SELECT :dataset_id, v.zarr_url, row_number() OVER (PARTITION BY v.zarr_url ORDER BY v.position) - 1,
           v.origin, v.attributes, v.types
    FROM ROWS FROM (
        jsonb_to_recordset(CAST(:images AS jsonb)) AS (zarr_url text, origin text, attributes jsonb, types jsonb)
    ) WITH ORDINALITY AS v(zarr_url, origin, attributes, types, position)
    ORDER BY v.position
    """
)


async def import_all(session: AsyncSession, dataset_id: int, images: str) -> None:
    """A JSON list of images, into a dataset that is made in this transaction; URLs may repeat."""
    await session.execute(IMPORT, {"dataset_id": dataset_id, "images": images})
    await imagesummaries.make_first(session, dataset_id)


@dataclass(frozen=True)
class Filters:
    """Conditions on images, with the contract's matching rules, in SQL."""

    types: Mapping[str, bool]
    attributes: Mapping[str, Sequence[Any]]
    zarr_url: str | None = None

    def conditions(self, dataset_id: int) -> ColumnElement[bool]:
        found: list[ColumnElement[bool]] = []
        if not self.attributes:
            # Else the terms name the dataset, and the planner is not led to read all of it: of a dataset that was
            # imported a moment ago it believes that it is small.
            found.append(DatasetImage.dataset_id == dataset_id)
        if self.zarr_url is not None:
            found.append(DatasetImage.zarr_url == self.zarr_url)
        for key, value in self.types.items():
            # A type that the image does not have counts as false.
            stored = func.coalesce(DatasetImage.types[key].as_boolean(), False)
            found.append(stored.is_(value))
        for key, values in self.attributes.items():
            terms = [json.dumps({str(dataset_id): {key: value}}) for value in _python_equals(values)]
            found.append(TERMS.bool_op("@>")(func.any(cast(literal(terms, ARRAY(TEXT)), ARRAY(JSONB)))))
        return and_(*found)


# An order that no index has: few images match filters, and a walk through all others to find them in order is long.
IN_ORDER = DatasetImage.id + 0

# What the index of filters has: the attributes of an image, below the id of its dataset.
TERMS = func.jobs.image_terms(DatasetImage.dataset_id, DatasetImage.attributes, type_=JSONB)


def _python_equals(values: Sequence[Any]) -> list[Any]:
    """Every JSON value that equals one of `values` in Python: numbers and booleans meet at 0 and 1."""
    found = list(values)
    for value in values:
        if not isinstance(value, str) and value in (0, 1):
            found += [int(value), bool(value)]
    return found


async def count(session: AsyncSession, dataset_id: int, filters: Filters, summary: Summary) -> int:
    """How many images match; the list is not looked at for filters that its summary can answer."""
    if filters.attributes or filters.zarr_url is not None:
        condition = filters.conditions(dataset_id)
        return await session.scalar(select(func.count()).select_from(DatasetImage).where(condition)) or 0
    return summary.count_of_types(filters.types)


async def page(
    session: AsyncSession, dataset_id: int, filters: Filters, summary: Summary, *, page: int, page_size: int | None
) -> tuple[int, int, list[Image]]:
    """Total count, the page's number, and its images; a page beyond the end becomes the last one."""
    condition = filters.conditions(dataset_id)
    total = await count(session, dataset_id, filters, summary)
    if total and page_size:
        page = min(page, -(-total // page_size))
    statement = (
        select(DatasetImage.zarr_url, DatasetImage.origin, DatasetImage.attributes, DatasetImage.types)
        .where(condition)
        .order_by(IN_ORDER if filters.attributes else DatasetImage.id)
        .offset(min((page - 1) * (page_size or 0), MAX_OFFSET))
        .limit(page_size)
    )
    return total, page, [Image(*row) for row in await session.execute(statement)]


async def append(session: AsyncSession, dataset_id: int, image: Image) -> bool:
    """False if the dataset has that URL already; concurrent writers of one URL agree on who was first."""
    statement = (
        insert(DatasetImage)
        .values(dataset_id=dataset_id, **_row(image))
        .on_conflict_do_nothing()
        .returning(DatasetImage.id)
    )
    return await session.scalar(statement) is not None


def _first(dataset_id: int, zarr_url: str) -> ScalarSelect[int]:
    """The image of that URL; of an import that repeated it, the first one."""
    return (
        select(func.min(DatasetImage.id))
        .where(DatasetImage.dataset_id == dataset_id, DatasetImage.zarr_url == zarr_url)
        .scalar_subquery()
    )


async def change(session: AsyncSession, dataset_id: int, zarr_url: str, values: Mapping[str, Any]) -> Image | None:
    """Replace attributes and/or types of an image; None if there is none."""
    target = DatasetImage.id == _first(dataset_id, zarr_url)
    if values:
        await session.execute(update(DatasetImage).where(target).values(**values))
    columns = (DatasetImage.zarr_url, DatasetImage.origin, DatasetImage.attributes, DatasetImage.types)
    row = (await session.execute(select(*columns).where(target))).one_or_none()
    return None if row is None else Image(*row)


async def delete_one(session: AsyncSession, dataset_id: int, zarr_url: str) -> bool:
    """With everything that is remembered of its status; False if there is none."""
    target = DatasetImage.id == _first(dataset_id, zarr_url)
    if await session.scalar(delete(DatasetImage).where(target).returning(DatasetImage.id)) is None:
        return False
    await session.execute(
        delete(HistoryImageCache).where(
            HistoryImageCache.dataset_id == dataset_id, HistoryImageCache.zarr_url == zarr_url
        )
    )
    return True


def _row(image: Image) -> dict[str, Any]:
    return {
        "zarr_url": image.zarr_url,
        "origin": image.origin,
        "attributes": dict(image.attributes),
        "types": dict(image.types),
    }
