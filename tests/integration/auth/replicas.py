"""Two replicas of each HTTP service on one database and one bus, each at its own port."""

import os
import secrets
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psycopg
from fractal_common.settings import NatsSettings
from psycopg.rows import TupleRow

from tests.api import Api
from tests.conftest import PostgresServer
from tests.processes import answers, free_port, running, until

ADMIN = "admin@example.org"
PASSWORD = "correct horse"
_numbers = count(1)


def login(url: str, email: str, password: str = PASSWORD, address: str | None = None) -> httpx.Response:
    """`address`: as a gateway on this host tells it."""
    headers = {"X-Forwarded-For": address} if address else {}
    form = {"username": email, "password": password}
    return httpx.post(f"{url}/auth/token/login/", data=form, headers=headers, timeout=60)


@dataclass(frozen=True)
class Replicas:
    auth: list[str]
    """Base URLs."""
    jobs: list[str]
    admin: Api
    database: psycopg.Connection[TupleRow]

    def new_email(self) -> str:
        return f"replicated{next(_numbers)}@example.org"

    def register(self, **changes: Any) -> dict[str, Any]:
        """A verified user with a profile; `changes` are made to that."""
        body = {"email": self.new_email(), "password": PASSWORD, "project_dirs": ["/somewhere"]}
        user = self.admin.post("/auth/register/", body)
        profile = self.database.execute("SELECT id FROM jobs.profile ORDER BY id LIMIT 1").fetchone()
        assert profile is not None
        wanted = {"is_verified": True, "profile_id": profile[0]} | changes
        return self.admin.patch(f"/auth/users/{user['id']}/", wanted)

    def hash_of(self, user_id: int) -> str:
        row = self.database.execute("SELECT hashed_password FROM auth.user_oauth WHERE id = %s", [user_id]).fetchone()
        assert row is not None
        return row[0]

    def set_hash(self, user_id: int, hashed: str) -> None:
        statement = "UPDATE auth.user_oauth SET hashed_password = %s WHERE id = %s"
        self.database.execute(statement, [hashed, user_id])


def bus_environment(nats: NatsSettings) -> dict[str, str]:
    assert nats.FRACTAL_NATS_USER is not None
    assert nats.FRACTAL_NATS_PASSWORD is not None
    return {
        "FRACTAL_NATS_URL": nats.FRACTAL_NATS_URL,
        "FRACTAL_NATS_USER": nats.FRACTAL_NATS_USER,
        "FRACTAL_NATS_PASSWORD": nats.FRACTAL_NATS_PASSWORD.get_secret_value(),
    }


@contextmanager
def started(
    postgres: PostgresServer, nats: NatsSettings, folder: Path, *, name: str, settings: dict[str, str], jobs: int = 2
) -> Generator[Replicas]:
    """`settings` are added to the environment of all."""
    with postgres.connect() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE migrated".encode())
    password = secrets.token_urlsafe(12)
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("FRACTAL_", "OAUTH_", "JWT_"))},
        **postgres.environment(name),
        **bus_environment(nats),
        "JWT_SECRET_KEY": secrets.token_urlsafe(32),
        "JWT_EXPIRE_SECONDS": "3600",
        "FRACTAL_DEFAULT_GROUP_NAME": "All",
        "FRACTAL_TASKS_DIR": str(folder / "tasks"),
        "FRACTAL_RUNNER_WORKING_BASE_DIR": str(folder / "jobs"),
        "FRACTAL_ADMIN_EMAIL": ADMIN,
        "FRACTAL_ADMIN_PASSWORD": password,
        "FRACTAL_ADMIN_PROJECT_DIR": str(folder / "projects"),
        **settings,
    }
    urls: list[str] = []
    with ExitStack() as stack, postgres.connect(name) as database:
        first = [sys.executable, "-m", "fractal_server.first_start"]
        with running(first, cwd=folder, environment=environment) as process:
            assert process.wait(60) == 0, (folder / "output.log").read_text()
        for module in ["fractal_auth"] * 2 + ["fractal_jobs.api"] * jobs:
            port = free_port()
            argv = [sys.executable, "-m", module, "--port", str(port)]
            stack.enter_context(running(argv, cwd=folder, environment=environment))
            urls.append(f"http://127.0.0.1:{port}")
        for url, path in zip(urls, ["/auth/openapi.json"] * 2 + ["/api/alive/"] * jobs, strict=True):
            until(lambda url=url, path=path: answers(f"{url}{path}"), f"{url} answers", timeout_s=60)
        admin = Api.login(urls[0], ADMIN, password)
        yield Replicas(urls[:2], urls[2:], admin, database)
        admin.close()


@contextmanager
def auth_service(folder: Path, database: dict[str, str], **settings: str) -> Generator[str]:
    """One replica alone, without a bus; its URL."""
    port = free_port()
    environment = {"PATH": "/usr/bin:/bin", **database, "JWT_SECRET_KEY": "k" * 40, **settings}
    argv = [sys.executable, "-m", "fractal_auth", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with running(argv, cwd=folder, environment=environment):
        until(lambda: answers(f"{url}/auth/openapi.json"), "the service answers", timeout_s=60)
        yield url
