"""Shared fixtures: a real Postgres and a real NATS, started from wheels in a throw-away directory."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest
from fractal_common.settings import DatabaseSettings, NatsSettings
from fractal_server.embedded import nats, postgres
from fractal_server.embedded.children import Child, ChildSpec
from fractal_server.embedded.home import Home
from hypothesis import settings
from psycopg import sql
from psycopg.rows import TupleRow

# How long an example takes depends on what else the machine does.
settings.register_profile("fractal", deadline=None)
settings.load_profile("fractal")


@dataclass(frozen=True)
class PostgresServer:
    home: Home
    port: int

    def environment(self, database: str) -> dict[str, str]:
        return {**postgres.environment(self.home, self.port), "POSTGRES_DB": database}

    def connect(self, database: str = "postgres") -> psycopg.Connection[TupleRow]:
        environment = self.environment(database)
        return psycopg.connect(
            host=environment["POSTGRES_HOST"],
            port=environment["POSTGRES_PORT"],
            user=environment["POSTGRES_USER"],
            password=environment["POSTGRES_PASSWORD"],
            dbname=database,
            autocommit=True,
        )

    def execute(self, statement: sql.Composed) -> None:
        with self.connect() as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def home() -> Generator[Home]:
    # Not below pytest's own directory: that is closed to the account that Postgres runs as when we are root.
    with tempfile.TemporaryDirectory(prefix="fractal-test-") as directory:
        Path(directory).chmod(0o755)
        home = Home(Path(directory) / "home")
        home.prepare()
        yield home


class _Runner:
    """Keeps children alive between tests, in an event loop of their own."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.loop = asyncio.new_event_loop()
        self.children: list[Child] = []

    def start(self, spec: ChildSpec) -> Child:
        child = Child(spec, self.home.directory("logs") / f"{spec.name}.log")
        self.loop.run_until_complete(child.start(lambda: None))
        self.children.append(child)
        return child

    def stop(self) -> None:
        for child in reversed(self.children):
            self.loop.run_until_complete(child.stop())
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


@pytest.fixture(scope="session")
def runner(home: Home) -> Generator[_Runner]:
    runner = _Runner(home)
    yield runner
    runner.stop()


@pytest.fixture(scope="session")
def postgres_server(home: Home, runner: _Runner) -> PostgresServer:
    """Postgres with a migrated template database."""
    port = home.port("postgres")
    runner.start(postgres.spec(home, port, durable=False))
    postgres.ensure_database(home, port, "migrated")
    server = PostgresServer(home, port)
    subprocess.run(
        [sys.executable, "-m", "fractal_common.migrations"],
        env={**os.environ, **server.environment("migrated")},
        check=True,
        timeout=60,
    )
    return server


_numbers = count(1)


@pytest.fixture
def database_environment(postgres_server: PostgresServer) -> Generator[dict[str, str]]:
    """The `POSTGRES_*` variables of a fresh, migrated database."""
    name = f"test_{next(_numbers)}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE migrated STRATEGY file_copy")
    postgres_server.execute(create.format(sql.Identifier(name)))
    yield postgres_server.environment(name)
    postgres_server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database_settings(database_environment: dict[str, str]) -> DatabaseSettings:
    return DatabaseSettings(_env_file=None, **database_environment)  # type: ignore[call-arg]


@pytest.fixture(scope="session")
def nats_server(home: Home, runner: _Runner) -> tuple[NatsSettings, NatsSettings]:
    """Settings of the server's account and of an agent's."""
    port = home.port("nats")
    runner.start(nats.spec(home, port))
    server, agent = (
        NatsSettings(_env_file=None, **nats.environment(home, port, user))  # type: ignore[call-arg]
        for user in ("server", "agent")
    )
    return server, agent


@pytest.fixture
async def no_leftover_tasks() -> AsyncGenerator[None]:
    before = asyncio.all_tasks()
    yield
    assert asyncio.all_tasks() <= before
