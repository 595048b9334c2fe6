"""Engine and sessions: psycopg 3, asynchronous, UTC; one engine a process, named after the process."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from fractal_common.database.base import JsonObject
from fractal_common.settings import DatabaseSettings

STATEMENT_TIMEOUT_MS = 60_000
CONNECT_TIMEOUT_S = 5


def create_engine(settings: DatabaseSettings, *, process: str, pool_size: int = 10) -> AsyncEngine:
    """`process` appears in Postgres as `application_name` (e.g. `fractal-jobs-api`)."""
    return create_async_engine(
        settings.url,
        echo=settings.DB_ECHO == "true",
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        connect_args=connect_arguments(process),
    )


def connect_arguments(process: str) -> JsonObject:
    """libpq parameters of every connection, among them that looking up a row is cheap, as on solid-state disks."""
    return {
        "application_name": process,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "options": f"-c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT_MS} -c jit=off -c random_page_cost=1.1",
    }


class Database:
    """The engine of a process and its sessions."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)

    @classmethod
    def connect(cls, settings: DatabaseSettings, *, process: str, pool_size: int = 10) -> "Database":
        """Opens nothing yet: connections are made when first used."""
        return cls(create_engine(settings, process=process, pool_size=pool_size))

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
