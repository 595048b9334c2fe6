"""Folders that Postgres can reach, and environments without the settings of whoever runs the tests."""

import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from fractal_common.settings import DatabaseSettings
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from .embedded import Embedded
from .fractalctl import configure

SETTINGS = ("POSTGRES_", "FRACTAL_", "JWT_")


@pytest.fixture
def folder() -> Generator[Path]:
    """As root, Postgres runs as another account: pytest's own directories are closed to it."""
    with tempfile.TemporaryDirectory(prefix="fractal-e2e-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture
def bare_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}


@pytest.fixture(scope="session")
def embedded() -> Generator[Embedded]:
    with tempfile.TemporaryDirectory(prefix="fractal-embedded-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        home = Path(directory) / "home"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
        stack = Embedded(home, environment | {"FRACTAL_HOME": str(home)})
        done = stack.command("up")
        assert done.returncode == 0, done.stdout + done.stderr
        yield stack
        stack.command("down")


@pytest.fixture
def configured(folder: Path, database_environment: dict[str, str]) -> Path:
    """With a migrated database."""
    return configure(folder, database_environment)


@pytest.fixture
def session(database_settings: DatabaseSettings) -> Generator[Session]:
    engine = create_engine(database_settings.url)
    with Session(engine) as session:
        yield session
    engine.dispose()
