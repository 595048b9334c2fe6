"""A fresh stack a test."""

import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from fractal_common.settings import DatabaseSettings

from .stack import Stack


@pytest.fixture
async def stack(database_settings: DatabaseSettings, database_environment: dict[str, str]) -> AsyncGenerator[Stack]:
    with tempfile.TemporaryDirectory(prefix="fractal-stack-") as directory:
        stack = Stack(Path(directory), database_settings, database_environment)
        for name in ("nats", "engine", "agent"):
            stack.start(name)
        try:
            yield stack
        finally:
            for name in list(stack.processes):
                stack.kill(name)
            stack.kill_workers()
            await stack.database.close()
