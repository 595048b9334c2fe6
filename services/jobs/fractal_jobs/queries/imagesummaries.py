"""What a dataset's pages show of its whole image list: counted once, and again after a change.

A summary knows the snapshot that it was made in, and a trigger leaves a row behind for every transaction that changes
a list: a summary holds while all such rows that are visible now were visible in its snapshot. So neither writers nor
readers wait for one another, whatever the order of their commits.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fractal_common.database.models import DatasetImage, ImageChange, ImageSummary
from fractal_common.database.sessions import Database
from sqlalchemy import ColumnElement, exists, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_jobs.domain.images import Types, types_match

LOCK_CLASS = 0x696D  # of the advisory locks under which summaries are made


@dataclass(frozen=True)
class Summary:
    """`attributes` has the distinct values of each attribute, `types` the combinations with their numbers."""

    count: int
    attributes: dict[str, list[Any]]
    types: Sequence[tuple[dict[str, bool], int]]

    @property
    def type_names(self) -> list[str]:
        return sorted({name for types, _ in self.types for name in types})

    def count_of_types(self, filters: Types) -> int:
        """How many images match filters on nothing but types."""
        return sum(number for types, number in self.types if types_match(types, filters))


def _holds() -> ColumnElement[bool]:
    """Condition on ImageSummary: nothing changed since."""
    unseen = (
        exists()
        .where(ImageChange.dataset_id == ImageSummary.dataset_id)
        .where(text("NOT pg_visible_in_snapshot(transaction::xid8, snapshot::pg_snapshot)"))
    )
    return ~unseen


def image_count(dataset_id: Any) -> ColumnElement[int]:
    """Number of images of a dataset (a column), counted only if its summary does not hold."""
    known = select(ImageSummary.image_count).where(ImageSummary.dataset_id == dataset_id, _holds()).scalar_subquery()
    counted = select(func.count()).where(DatasetImage.dataset_id == dataset_id).scalar_subquery()
    return func.coalesce(known, counted)


async def summary(session: AsyncSession, database: Database, dataset_id: int) -> Summary:
    """As it is now; `session` only reads, so that one that has to be made is kept by a transaction of its own."""
    found = await _known(session, dataset_id)
    if found is None:
        async with database.transaction() as transaction:
            # Made by one at a time; who waited finds it made.
            await transaction.execute(select(func.pg_advisory_xact_lock(LOCK_CLASS, dataset_id)))
            found = await _known(transaction, dataset_id) or await _made(transaction, dataset_id)
    return found


async def _known(session: AsyncSession, dataset_id: int) -> Summary | None:
    statement = select(ImageSummary.image_count, ImageSummary.attributes, ImageSummary.types).where(
        ImageSummary.dataset_id == dataset_id, _holds()
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else Summary(row[0], row[1], row[2])


SUMMARISE = text(
    """
    WITH kind AS (
        -- Many images have the same attributes and types: taken apart once each.
        SELECT attributes, types, count(*) AS number, min(id) AS first
        FROM jobs.datasetimage WHERE dataset_id = :dataset_id GROUP BY attributes, types
    ), value AS (
        SELECT each.key, each.value, min(kind.first) AS first
        FROM kind, jsonb_each(kind.attributes) AS each GROUP BY each.key, each.value
    ), attribute AS (
        SELECT key, min(first) AS first, json_agg(value ORDER BY first) AS values FROM value GROUP BY key
    ), combination AS (
        SELECT types, sum(number) AS number, min(first) AS first FROM kind GROUP BY types
    )
    SELECT CAST(pg_current_snapshot() AS text),
           (SELECT coalesce(sum(number), 0) FROM kind),
           (SELECT json_object_agg(key, values ORDER BY first, key) FROM attribute),
           (SELECT json_agg(json_build_array(types, number) ORDER BY first) FROM combination)
    """
)

KEEP = text(
    """
    WITH seen AS (
        DELETE FROM jobs.datasetimagechange AS change
        WHERE dataset_id = :dataset_id
          AND pg_visible_in_snapshot(CAST(change.transaction AS xid8), CAST(:snapshot AS pg_snapshot))
    )
    INSERT INTO jobs.datasetimagesummary (dataset_id, snapshot, image_count, attributes, types)
    VALUES (:dataset_id, :snapshot, :image_count, CAST(:attributes AS json), CAST(:types AS json))
    ON CONFLICT (dataset_id) DO UPDATE SET
        snapshot = excluded.snapshot, image_count = excluded.image_count,
        attributes = excluded.attributes, types = excluded.types
    """
)


async def _made(session: AsyncSession, dataset_id: int) -> Summary:
    """Counted now, and kept; the snapshot is that of the very statement which counts."""
    row = (await session.execute(SUMMARISE, {"dataset_id": dataset_id})).one()
    snapshot, count = str(row[0]), int(row[1])
    values: dict[str, list[Any]] | None = row[2]
    types: list[tuple[dict[str, bool], int]] = row[3] or []
    attributes: dict[str, list[Any]] = {key: _distinct(found) for key, found in (values or {}).items()}
    await session.execute(
        KEEP,
        {
            "dataset_id": dataset_id,
            "snapshot": snapshot,
            "image_count": count,
            "attributes": json.dumps(attributes),
            "types": json.dumps(types),
        },
    )
    return Summary(count, attributes, types)


def _distinct(values: Sequence[Any]) -> list[Any]:
    """Sorted, numbers before texts; of `1`, `1.0` and `true`, equal in Python, the first one stands for all."""
    return sorted(dict.fromkeys(values), key=lambda value: (isinstance(value, str), value))
