"""What a dataset's pages show of its whole image list: counted once, and then followed change by change.

A summary knows the snapshot that it was made in, and a trigger leaves a note for every statement that changes a list,
with the images that came and went (if they are few) and its transaction. A summary and the notes that are visible now
and were not in its snapshot are the list as it is now. So neither writers nor readers wait for one another, whatever
the order of their commits.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from fractal_common.database.models import DatasetImage, ImageChange, ImageSummary
from fractal_common.database.sessions import Database
from sqlalchemy import ColumnElement, Integer, Select, String, and_, bindparam, case, delete, func, select, text, true
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_jobs.domain.imagecounts import ImageCounts
from fractal_jobs.domain.images import Types, types_match

LOCK_CLASS = 0x696D  # of the advisory locks under which summaries are made
MANY_NOTES = 50
"""More are not read again and again: they become part of the summary."""
TOO_MANY_NOTES = 500
"""So many take longer than to count the images again: a job wrote them while nobody looked."""

UNSEEN: ColumnElement[bool] = and_(
    ImageChange.dataset_id == ImageSummary.dataset_id,
    text("NOT pg_visible_in_snapshot(transaction::xid8, snapshot::pg_snapshot)"),
)
"""Condition on ImageChange, beside ImageSummary: the note of something that the summary does not have."""


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


def image_count(dataset_id: Any) -> ColumnElement[int]:
    """Number of images of a dataset (a column), counted only if it has no summary."""
    behind = select(func.coalesce(func.sum(ImageChange.number), 0)).where(UNSEEN).correlate(ImageSummary)
    known = (
        select(ImageSummary.image_count + behind.scalar_subquery())
        .where(ImageSummary.dataset_id == dataset_id)
        .scalar_subquery()
    )
    counted = select(func.count()).where(DatasetImage.dataset_id == dataset_id).scalar_subquery()
    return func.coalesce(known, counted)


async def summary(session: AsyncSession, database: Database, dataset_id: int) -> Summary:
    """As it is now; `session` only reads, so that what has to be kept is kept by a transaction of its own."""
    found = await _read(session, dataset_id)
    if isinstance(found, Summary):
        return found
    async with database.transaction() as transaction:
        # By one at a time; who waited finds it done.
        await transaction.execute(select(func.pg_advisory_xact_lock(LOCK_CLASS, dataset_id)))
        found = await _read(transaction, dataset_id)
        if isinstance(found, Summary):
            return found
        return await _keep(transaction, dataset_id, *(found or await _counted(transaction, dataset_id)))


async def make_first(session: AsyncSession, dataset_id: int) -> None:
    """Of a dataset that this transaction makes: all notes of changes are its own, and the summary has seen them."""
    await _keep(session, dataset_id, *await _counted(session, dataset_id))
    await session.execute(delete(ImageChange).where(ImageChange.dataset_id == dataset_id))


async def _read(session: AsyncSession, dataset_id: int) -> Summary | tuple[ImageCounts, str] | None:
    """The list as it is now; with its snapshot, if it should be kept; None if it has to be counted.

    All by one statement, for which nothing changes while it looks.
    """
    row = (await session.execute(_known(), {"dataset_id": dataset_id})).one_or_none()
    if row is None:
        return None
    if not row.notes:
        return Summary(row.image_count, row.attributes, row.types)
    counts: dict[str, Any] = row.counts or {}
    # A release that knows no counts leaves those of an earlier snapshot in their place.
    if row.kinds is None or row.told < row.notes or counts.get("snapshot") != row.snapshot:
        return None
    before = ImageCounts(row.image_count, counts["attributes"], row.types)
    after = before.after(kind for kinds in row.kinds for kind in kinds)
    if after is None:
        return None
    return _shown(after) if row.notes <= MANY_NOTES else (after, row.now)


@cache
def _known() -> "Select[*tuple[Any, ...]]":
    notes = (
        select(func.count().label("notes"), func.count(ImageChange.kinds).label("told"))
        .where(UNSEEN)
        .correlate(ImageSummary)
        .lateral("behind")
    )
    kinds = select(func.jsonb_agg(aggregate_order_by(ImageChange.kinds, ImageChange.id))).where(UNSEEN)
    return (
        select(
            ImageSummary.image_count,
            ImageSummary.attributes,
            ImageSummary.types,
            ImageSummary.snapshot,
            case((notes.c.notes > 0, ImageSummary.counts)).label("counts"),
            case((notes.c.notes <= TOO_MANY_NOTES, kinds.correlate(ImageSummary).scalar_subquery())).label("kinds"),
            func.pg_current_snapshot().cast(String).label("now"),
            notes,
        )
        .join(notes, true())
        .where(ImageSummary.dataset_id == bindparam("dataset_id", type_=Integer))
    )


def _shown(counts: ImageCounts) -> Summary:
    return Summary(counts.total, counts.values, counts.types)


COUNT = text(
    """
    WITH kind AS (
        -- Many images have the same attributes and types: taken apart once each.
        SELECT attributes, types, count(*) AS number, min(id) AS first
        FROM jobs.datasetimage WHERE dataset_id = :dataset_id GROUP BY attributes, types
    ), value AS (
        SELECT each.key, each.value, sum(kind.number) AS number, min(kind.first) AS first
        FROM kind, jsonb_each(kind.attributes) AS each GROUP BY each.key, each.value
    ), attribute AS (
        SELECT key, min(first) AS first, json_agg(json_build_array(value, number) ORDER BY first) AS values
        FROM value GROUP BY key
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
    INSERT INTO jobs.datasetimagesummary (dataset_id, snapshot, image_count, attributes, types, counts)
    VALUES (
        :dataset_id, :snapshot, :image_count,
        CAST(:attributes AS json), CAST(:types AS json), CAST(:counts AS json)
    )
    ON CONFLICT (dataset_id) DO UPDATE SET
        snapshot = excluded.snapshot, image_count = excluded.image_count,
        attributes = excluded.attributes, types = excluded.types, counts = excluded.counts
    """
)


async def _counted(session: AsyncSession, dataset_id: int) -> tuple[ImageCounts, str]:
    """From the images themselves; the snapshot is that of the very statement which counts."""
    # Of a list that was written a moment ago the planner believes that it is short, and sorts it, which takes long.
    await session.execute(text("SET LOCAL enable_sort = off"))
    row = (await session.execute(COUNT, {"dataset_id": dataset_id})).one()
    return ImageCounts(int(row[1]), row[2] or {}, row[3] or []), str(row[0])


async def _keep(session: AsyncSession, dataset_id: int, counts: ImageCounts, snapshot: str) -> Summary:
    shown = _shown(counts)
    values = {
        "dataset_id": dataset_id,
        "snapshot": snapshot,
        "image_count": counts.total,
        "attributes": json.dumps(shown.attributes),
        "types": json.dumps(counts.types),
        "counts": json.dumps({"snapshot": snapshot, "attributes": counts.attributes}),
    }
    await session.execute(KEEP, values)
    return shown
