"""Summaries of image lists: followed change by change, they say what counting again would."""

import json
import random
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from fractal_common.database.models import Dataset, DatasetImage, ImageChange, ImageSummary, Project
from fractal_common.database.sessions import Database
from fractal_common.settings import DatabaseSettings
from fractal_jobs.domain.images import Image
from fractal_jobs.queries import images, imagesummaries
from sqlalchemy import delete, func, select, text, update

from .rows import first_rows

VALUES: list[Any] = [1, 1.0, True, 0, False, 2.5, "1", "A01", "ü", -3]
KEYS = ("well", "n", "plate")


@pytest.fixture
async def database(database_settings: DatabaseSettings) -> AsyncGenerator[Database]:
    database = Database.connect(database_settings, process="test")
    async with database.transaction() as session:
        await first_rows(session)
        session.add(Project(id=1, name="p", resource_id=1))
        await session.flush()
        session.add_all(Dataset(id=number, name="d", project_id=1, zarr_dir="/z") for number in (1, 2))
    yield database
    await database.close()


def an_image(source: random.Random, number: int) -> Image:
    attributes = {key: source.choice(VALUES) for key in KEYS if source.random() < 0.7}
    types = {key: source.random() < 0.5 for key in ("3D", "x") if source.random() < 0.6}
    return Image(f"/z/{number}", None, attributes, types)


async def check(database: Database, dataset: int = 1) -> None:
    """What is said of the list, against the list."""
    async with database.reading() as session:
        said = await imagesummaries.summary(session, database, dataset)
        listed = await images.load(session, dataset)
        number = await session.scalar(select(imagesummaries.image_count(Dataset.id)).where(Dataset.id == dataset))
    assert (said.count, number) == (len(listed), len(listed))
    values = {key: {one.attributes[key] for one in listed if key in one.attributes} for key in KEYS}
    assert {key: set(found) for key, found in said.attributes.items()} == {key: v for key, v in values.items() if v}
    assert all(len(found) == len(set(found)) for found in said.attributes.values())
    combinations = Counter(json.dumps(one.types, sort_keys=True) for one in listed)
    assert {json.dumps(types, sort_keys=True): count for types, count in said.types} == combinations


async def notes(database: Database, dataset: int = 1) -> int:
    async with database.reading() as session:
        counted = select(func.count()).select_from(ImageChange).where(ImageChange.dataset_id == dataset)
        return await session.scalar(counted) or 0


@pytest.mark.parametrize("seed", range(3))
async def test_random_changes(database: Database, seed: int) -> None:
    source = random.Random(seed)
    await check(database)
    most = 0
    for step in range(2 * imagesummaries.MANY_NOTES):
        async with database.transaction() as session:
            chosen = [source.randrange(60) for _ in range(source.choice((1, 1, 1, 5, 20)))]
            match source.choice(("write", "write", "update", "delete", "retype")):
                case "write":
                    await images.write(session, 1, [an_image(source, number) for number in dict.fromkeys(chosen)])
                case "update":
                    await images.change(session, 1, f"/z/{chosen[0]}", {"attributes": an_image(source, 0).attributes})
                case "delete":
                    await images.remove(session, 1, [f"/z/{number}" for number in chosen])
                case _:
                    urls = [f"/z/{number}" for number in chosen]
                    where = (DatasetImage.dataset_id == 1, DatasetImage.zarr_url.in_(urls))
                    await session.execute(update(DatasetImage).where(*where).values(types={"3D": True}))
        if step % 7:
            await check(database)
        most = max(most, await notes(database))
    assert 10 < most <= imagesummaries.MANY_NOTES + 8, "notes are kept for a while, and not for ever"


async def test_what_is_not_committed_does_not_count_and_then_does(database: Database) -> None:
    """A transaction that began before a summary was made and ends after it."""
    source = random.Random(1)
    async with database.transaction() as early:
        await images.write(early, 1, [an_image(source, number) for number in range(3)])
        async with database.transaction() as late:
            await images.write(late, 1, [an_image(source, number) for number in range(3, 5)])
        await check(database)
    await check(database)
    async with database.transaction() as session:
        await images.write(session, 1, [an_image(source, 7)])
        await session.rollback()
    await check(database)


async def test_changes_of_many_images_are_counted_again(database: Database) -> None:
    source = random.Random(2)
    await check(database)
    async with database.transaction() as session:
        await images.write(session, 1, [an_image(source, number) for number in range(1500)])
    async with database.reading() as session:
        assert list(await session.execute(select(ImageChange.number, ImageChange.kinds))) == [(1500, None)]
    await check(database)
    assert await notes(database) == 0
    async with database.transaction() as session:
        await session.execute(delete(DatasetImage).where(DatasetImage.dataset_id == 1))
    await check(database)


async def test_more_notes_than_images_are_worth_are_not_read(database: Database) -> None:
    source = random.Random(3)
    await check(database)
    for _ in range(imagesummaries.TOO_MANY_NOTES // 20 + 1):
        async with database.transaction() as session:
            for _ in range(20):
                await images.write(session, 1, [an_image(source, source.randrange(200))])
    assert await notes(database) > imagesummaries.TOO_MANY_NOTES
    await check(database)
    assert await notes(database) == 0


async def test_a_change_that_says_nothing_new_leaves_no_note(database: Database) -> None:
    async with database.transaction() as session:
        await images.write(session, 1, [Image("/z/1", None, {"n": 1}, {})])
    await check(database)
    async with database.transaction() as session:
        await images.write(session, 1, [Image("/z/1", "/z/0", {"n": 1}, {})])
    assert await notes(database) == 0
    await check(database)


async def test_an_import_brings_its_summary_along(database: Database) -> None:
    async with database.transaction() as session:
        session.add(Dataset(id=9, name="i", project_id=1, zarr_dir="/z"))
        await session.flush()
        row = {"zarr_url": "/z/1", "origin": None, "attributes": {"n": 1}, "types": {"3D": True}}
        await images.import_all(session, 9, json.dumps([row, row]))
    async with database.reading() as session:
        assert await session.scalar(select(ImageSummary.image_count).where(ImageSummary.dataset_id == 9)) == 2
    assert await notes(database, 9) == 0
    await check(database, 9)
    async with database.transaction() as session:
        await images.write(session, 9, [Image("/z/2", None, {"n": 2}, {})])
    await check(database, 9)
    async with database.transaction() as session:
        await session.execute(delete(Dataset).where(Dataset.id == 9))
    assert await notes(database, 9) == 0


async def test_a_summary_of_a_release_that_knows_no_counts_is_made_again(database: Database) -> None:
    async with database.transaction() as session:
        await images.write(session, 1, [Image("/z/1", None, {"n": 1}, {})])
    await check(database)
    async with database.transaction() as session:
        await images.write(session, 1, [Image("/z/2", None, {"n": 2}, {})])
    async with database.transaction() as session:
        # As such a release keeps it: everything but the counts.
        await session.execute(
            text(
                "UPDATE jobs.datasetimagesummary SET snapshot = pg_current_snapshot()::text, image_count = 2, "
                """attributes = '{"n": [1, 2]}', types = '[[{}, 2]]' WHERE dataset_id = 1"""
            )
        )
    await check(database)
    async with database.transaction() as session:
        await images.remove(session, 1, ["/z/1"])
    await check(database)
