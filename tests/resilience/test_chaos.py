"""Faults at random moments. `CHAOS_SEEDS=first:last` chooses others, `CHAOS_SEEDS=17:17` replays one."""

import os
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from fractal_common.settings import DatabaseSettings

from . import chaos
from .database import MortalPostgres
from .disk import small_disk
from .stack import Stack

FIRST, _, LAST = os.environ.get("CHAOS_SEEDS", "1:30").partition(":")


@pytest.fixture(scope="module")
def mortal_postgres() -> Generator[MortalPostgres]:
    with tempfile.TemporaryDirectory(prefix="fractal-chaos-") as directory:
        server = MortalPostgres(Path(directory))
        server.start()
        server.migrate()
        yield server
        server.kill()


@pytest.mark.parametrize("seed", range(int(FIRST), int(LAST) + 1))
async def test_every_unit_runs_once_and_the_job_ends(mortal_postgres: MortalPostgres, seed: int) -> None:
    planned = chaos.faults(seed)
    services, links = chaos.needed(planned)
    with small_disk() if any(fault.part == "disk" for fault in planned) else ordinary_disk() as directory:
        async with stack_on(mortal_postgres, directory, services, links=links) as stack:
            await chaos.run(stack, seed, planned)


@contextmanager
def ordinary_disk() -> Generator[Path]:
    with tempfile.TemporaryDirectory(prefix="fractal-stack-") as directory:
        yield Path(directory)


@asynccontextmanager
async def stack_on(
    server: MortalPostgres, directory: Path, services: set[str], *, links: bool
) -> AsyncGenerator[Stack]:
    name = server.create()
    environment = server.environment(name)
    settings = DatabaseSettings(_env_file=None, **environment)  # type: ignore[call-arg]
    stack = Stack(directory, settings, environment, links=links, postgres=server)
    try:
        for service in [*stack.links, *sorted(services)]:
            stack.start(service)
        yield stack
    finally:
        for service in list(stack.processes):
            stack.kill(service)
        stack.kill_workers()
        await stack.database.close()
        server.drop(name)
