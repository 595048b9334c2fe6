"""Rows as JSON that Postgres writes, against what Python reads and writes."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from fractal_common.database.sessions import Database
from fractal_common.settings import DatabaseSettings
from fractal_jobs.queries import documents
from sqlalchemy import JSON, DateTime, Integer, String, column, literal, select, values
from sqlalchemy.dialects.postgresql import JSONB

TIMES = [
    datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    datetime(2026, 1, 2, 3, 4, 5, 100000, tzinfo=UTC),
    datetime(2026, 1, 2, 3, 4, 5, 1, tzinfo=UTC),
    datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    None,
]


async def written(settings: DatabaseSettings, rows: Any, **parameters: Any) -> Any:
    database = Database.connect(settings, process="test")
    try:
        async with database.readers.connect() as connection:
            return [
                json.loads(each) for each in await documents.read(connection, documents.documents(rows), parameters)
            ]
    finally:
        await database.close()


@pytest.mark.parametrize("time", TIMES)
async def test_times_are_written_as_python_does(database_settings: DatabaseSettings, time: datetime | None) -> None:
    rows = select(literal(time, DateTime(timezone=True)).label("time"))
    expected = None if time is None else time.isoformat()
    assert await written(database_settings, rows) == [{"time": expected}]


async def test_texts_and_json_arrive_as_they_are(database_settings: DatabaseSettings) -> None:
    text = 'a"b\\c\n\t\u0001 é 🔬 \u2028 </script> %s %(x)s :y'
    value = {"text": text, "numbers": [1, 1.5, -3, True, None], "empty": {}}
    rows = select(
        literal(text, String).label("text"),
        literal(json.dumps(value), String).cast(JSON).label("json"),
        literal(json.dumps(value), String).cast(JSONB).label("jsonb"),
        literal(True).label("flag"),
    )
    assert await written(database_settings, rows) == [{"text": text, "json": value, "jsonb": value, "flag": True}]


async def test_order_and_nesting(database_settings: DatabaseSettings) -> None:
    numbers = values(column("n", Integer), name="numbers").data([(3,), (1,), (2,)])
    inner = select(numbers.c.n).order_by(numbers.c.n.desc())
    none = select(numbers.c.n).where(numbers.c.n > 9)
    rows = select(numbers.c.n, documents.many(inner).label("all"), documents.many(none).label("none"))
    everything = [{"n": 3}, {"n": 2}, {"n": 1}]
    assert await written(database_settings, rows.order_by(numbers.c.n)) == [
        {"n": n, "all": everything, "none": []} for n in (1, 2, 3)
    ]
    assert await written(database_settings, none) == []
