"""Sessions that only read, and connections that the server has closed."""

from collections.abc import AsyncGenerator

import pytest
from fractal_common.database.models import UserGroup
from fractal_common.database.sessions import Database
from fractal_common.settings import DatabaseSettings
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError


@pytest.fixture
async def database(database_settings: DatabaseSettings) -> AsyncGenerator[Database]:
    database = Database.connect(database_settings, process="test")
    yield database
    await database.close()


async def test_what_is_for_reading_cannot_write(database: Database) -> None:
    async with database.reading() as session:
        for statement in ("INSERT INTO auth.usergroup (name) VALUES ('x')", "SELECT * FROM auth.usergroup FOR UPDATE"):
            with pytest.raises(DBAPIError, match="read-only transaction"):
                await session.execute(text(statement))


async def test_reading_opens_no_transaction_and_sees_what_is_committed_meanwhile(database: Database) -> None:
    names = select(UserGroup.name)
    async with database.reading() as session:
        assert list(await session.scalars(names)) == []
        async with database.transaction() as other:
            other.add(UserGroup(name="new"))
        assert list(await session.scalars(names)) == ["new"]
        state = text("SELECT xact_start = statement_timestamp() FROM pg_stat_activity WHERE pid = pg_backend_pid()")
        assert await session.scalar(state) is True


async def test_connections_that_the_server_closed_are_replaced_unnoticed(database: Database) -> None:
    one = text("SELECT 1")
    for _ in range(3):
        async with database.reading() as session, database.transaction() as other:
            assert (await session.scalar(one), await other.scalar(one)) == (1, 1)
        async with database.reading() as session:
            await session.execute(
                text(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE application_name = 'test' AND datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
            mine = await session.scalar(text("SELECT pg_backend_pid()"))
        # Ended by itself: while the pool has it, nobody looks.
        async with database.transaction() as other:
            await other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": mine})
