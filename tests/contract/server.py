"""A running server and the people who use it."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.api import Api
from tests.processes import free_port, is_alive, running, until

PASSWORD = "correct horse"
_numbers = count(1)


@dataclass
class Person:
    """Somebody with an account, and their requests."""

    id: int
    email: str
    api: Api
    project_dir: str


@dataclass
class Server:
    """What `fractalctl start` serves: app, engine and agent, on a database and a message bus of its own."""

    url: str
    folder: Path
    admin: Api
    admin_email: str
    environment: dict[str, str]
    people: list[Person] = field(default_factory=list[Person])

    @property
    def profile_id(self) -> int:
        return self.admin.get("/admin/v2/profile/")[0]["id"]

    def new_email(self) -> str:
        return f"somebody{next(_numbers)}@example.org"

    def register(self, **fields: Any) -> dict[str, Any]:
        body = {"email": self.new_email(), "password": PASSWORD, "project_dirs": ["/somewhere"]}
        return self.admin.post("/auth/register/", body | fields)

    def person(self, **changes: Any) -> Person:
        """A verified user with a profile; `changes` are made to that."""
        project_dir = str(self.folder / "projects" / f"p{next(_numbers)}")
        user = self.register(project_dirs=[project_dir])
        wanted = {"is_verified": True, "profile_id": self.profile_id} | changes
        self.admin.patch(f"/auth/users/{user['id']}/", {key: value for key, value in wanted.items() if value != "keep"})
        active = wanted.get("is_active", True)
        api = Api.login(self.url, user["email"], PASSWORD) if active else Api(self.url)
        person = Person(user["id"], user["email"], api, project_dir)
        self.people.append(person)
        return person

    @contextmanager
    def replica(self, **settings: str) -> Generator[str]:
        """The URL of one more application server on the same database, with settings of its own."""
        port = free_port()
        argv = [sys.executable, "-m", "uvicorn", "fractal_server.main:app", "--port", str(port)]
        environment = self.environment | {"FRACTAL_NATS_URL": "nats://127.0.0.1:1"} | settings
        with running(argv, cwd=self.folder, environment=environment):
            url = f"http://127.0.0.1:{port}"
            until(lambda: is_alive(url), "the replica answers")
            yield url

    def close(self) -> None:
        for person in self.people:
            person.api.close()
        self.admin.close()
