"""Engines and sessions: psycopg 3, asynchronous, UTC; named after the process."""

import select
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from fractal_common.database.base import JsonObject
from fractal_common.settings import DatabaseSettings

STATEMENT_TIMEOUT_MS = 60_000
CONNECT_TIMEOUT_S = 5


def create_engine(
    settings: DatabaseSettings, *, process: str, pool_size: int = 10, read_only: bool = False
) -> AsyncEngine:
    """`process` appears in Postgres as `application_name` (e.g. `fractal-jobs-api`).

    `read_only`: each statement is a transaction of its own, without a round trip to begin and one to end it, and
    Postgres refuses what writes or locks.
    """
    engine = create_async_engine(
        settings.url,
        echo=settings.DB_ECHO == "true",
        pool_size=pool_size,
        # More at a time wait their turn: readers for milliseconds, and the server's connections are for all processes.
        max_overflow=0 if read_only else pool_size // 2,
        connect_args=connect_arguments(process, read_only=read_only),
        **({"isolation_level": "AUTOCOMMIT"} if read_only else {}),
    )
    dialect = engine.sync_engine.dialect

    def look_at(connection: DBAPIConnection, entry: ConnectionPoolEntry, _: Any) -> None:
        """A server that went away has left word on the socket, so that only then it is asked (a round trip)."""
        driver: Any = entry.driver_connection
        if driver.closed or _readable(driver.fileno()):
            try:
                dialect.do_ping(connection)
            except psycopg.Error as error:
                raise DisconnectionError(str(error)) from error

    event.listen(engine.sync_engine, "checkout", look_at)
    return engine


def _readable(socket: int) -> bool:
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))


def connect_arguments(process: str, *, read_only: bool = False) -> JsonObject:
    """libpq parameters of every connection, among them that looking up a row is cheap, as on solid-state disks."""
    options = f"-c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT_MS} -c jit=off -c random_page_cost=1.1"
    if read_only:
        options += " -c default_transaction_read_only=on"
    return {"application_name": process, "connect_timeout": CONNECT_TIMEOUT_S, "options": options}


class Database:
    """Engines of a process and their sessions."""

    def __init__(self, engine: AsyncEngine, readers: AsyncEngine) -> None:
        self.engine = engine
        self.readers = readers
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        self._reading = async_sessionmaker(readers, expire_on_commit=False, autoflush=False)

    @classmethod
    def connect(cls, settings: DatabaseSettings, *, process: str, pool_size: int = 10) -> "Database":
        """Opens nothing yet: connections are made when first used."""
        return cls(
            create_engine(settings, process=process, pool_size=pool_size),
            create_engine(settings, process=process, pool_size=pool_size, read_only=True),
        )

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncSession]:
        """A session for what only reads: its statements are transactions of their own.

        They see no less of each other's moment than in one transaction: under READ COMMITTED each statement has a
        view of its own there as well.
        """
        async with self._reading() as session:
            yield session

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[AsyncSession]:
        """A session without a transaction boundary of its own: the caller commits; leaving it rolls back."""
        async with self._sessions() as session:
            yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncSession]:
        """A session whose work is committed when the block ends, and rolled back when it raises."""
        async with self._sessions() as session, session.begin():
            yield session

    async def close(self) -> None:
        await self.engine.dispose()
        await self.readers.dispose()
