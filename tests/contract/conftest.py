"""One server for all tests of the folder: each makes users and projects of its own."""

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.api import Api
from tests.conftest import PostgresServer
from tests.processes import free_port, is_alive, running, until

from .puppet import Flow, Step
from .server import Person, Server

ADMIN = "admin@example.org"
START_WITHIN_S = 120.0
"""On a machine that does much else."""


@pytest.fixture(scope="session")
def server(postgres_server: PostgresServer) -> Generator[Server]:
    with started(postgres_server, "contract") as server:
        yield server


@contextmanager
def started(postgres_server: PostgresServer, database: str) -> Generator[Server]:
    """A server on a new database of that name."""
    name = sql.Identifier(database)
    postgres_server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE migrated").format(name))
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="fractal-contract-", ignore_cleanup_errors=True) as directory:
        folder = Path(directory)
        password = secrets.token_urlsafe(12)
        environment = {
            **os.environ,
            **postgres_server.environment(database),
            "JWT_SECRET_KEY": secrets.token_urlsafe(32),
            "JWT_EXPIRE_SECONDS": "3600",
            "FRACTAL_DEFAULT_GROUP_NAME": "All",
            "FRACTAL_ENABLE_TASK_GROUP_RESET": "true",
            "FRACTAL_HOME": str(folder / "home"),
            "FRACTAL_TASKS_DIR": str(folder / "tasks"),
            "FRACTAL_RUNNER_WORKING_BASE_DIR": str(folder / "jobs"),
            "FRACTAL_ADMIN_EMAIL": ADMIN,
            "FRACTAL_ADMIN_PASSWORD": password,
            "FRACTAL_ADMIN_PROJECT_DIR": str(folder / "projects"),
        }
        subprocess.run([sys.executable, "-m", "fractal_server.first_start"], env=environment, check=True, timeout=60)
        argv = [str(Path(sys.executable).with_name("fractalctl")), "start", "-p", str(port)]
        with running(argv, cwd=folder, environment=environment):
            url = f"http://127.0.0.1:{port}"
            until(lambda: is_alive(url), "the server answers", START_WITHIN_S)
            server = Server(url, folder, Api.login(url, ADMIN, password), ADMIN, environment)
            yield server
            server.close()


@pytest.fixture
def anonymous(server: Server) -> Generator[Api]:
    api = Api(server.url)
    yield api
    api.close()


@pytest.fixture
def admin(server: Server) -> Api:
    return server.admin


@pytest.fixture
def user(server: Server) -> Person:
    return server.person()


@pytest.fixture
def other(server: Server) -> Person:
    return server.person()


@pytest.fixture
def guest(server: Server) -> Person:
    return server.person(is_guest=True)


TWO_IMAGES: list[dict[str, Any]] = [{"zarr_url": "a"}, {"zarr_url": "b"}]


@pytest.fixture
def database(postgres_server: PostgresServer, server: Server) -> Generator[psycopg.Connection[Any]]:
    """The running server's own."""
    with postgres_server.connect("contract") as connection:
        yield connection


@pytest.fixture
def flow(server: Server, user: Person, database: psycopg.Connection[Any]) -> Callable[..., Flow]:
    """Makes a workflow of steps, over two images unless others are given."""

    def make(*steps: Step, images: list[dict[str, Any]] = TWO_IMAGES) -> Flow:
        return Flow(server, user, database, images, *steps)

    return make
