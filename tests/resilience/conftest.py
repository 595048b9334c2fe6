"""A fresh stack a test."""

import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from fractal_common.settings import DatabaseSettings

from .stack import Stack


@pytest.fixture
async def bare_stack(
    database_settings: DatabaseSettings, database_environment: dict[str, str]
) -> AsyncGenerator[Stack]:
    """Nothing of it runs."""
    with tempfile.TemporaryDirectory(prefix="fractal-stack-") as directory:
        stack = Stack(Path(directory), database_settings, database_environment)
        try:
            yield stack
        finally:
            for name in list(stack.processes):
                stack.kill(name)
            stack.kill_workers()
            await stack.database.close()


@pytest.fixture
async def stack(bare_stack: Stack) -> Stack:
    for name in ("nats", "engine", "agent"):
        bare_stack.start(name)
    return bare_stack
