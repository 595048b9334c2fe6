"""Every sub-command of `fractal user` and `fractal group`, of the public client as it is on PyPI."""

import ast
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.api import Api

from .server import PASSWORD, Server

CLIENT = Path(__file__).parents[2] / ".venv-client/bin/fractal"
NEW_PASSWORD = "another horse"


@dataclass(frozen=True)
class Client:
    """The program, as one user."""

    url: str
    folder: Path
    email: str
    password: str

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FRACTAL_")}
        return subprocess.run(
            [str(CLIENT), "-u", self.email, "-p", self.password, "--fractal-server", self.url, *map(str, arguments)],
            cwd=self.folder,
            env=kept | {"HOME": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def __call__(self, *arguments: object) -> Any:
        """What it prints, read."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        text = done.stdout.strip()
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return ast.literal_eval(text) if text[:1] in "[{" else text

    def fails(self, *arguments: object) -> str:
        done = self.run(*arguments)
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr


@pytest.fixture
def client(server: Server, tmp_path: Path) -> Callable[..., Client]:
    def of(email: str, password: str = PASSWORD) -> Client:
        return Client(server.url, tmp_path, email, password)

    return of


@pytest.fixture
def root(server: Server, client: Callable[..., Client]) -> Client:
    user = server.register()
    server.admin.patch(f"/auth/users/{user['id']}/", {"is_superuser": True, "is_verified": True})
    return client(user["email"])


def test_register_show_list_and_whoami(server: Server, root: Client, client: Callable[..., Client]) -> None:
    email = server.new_email()
    created = root("user", "register", email, PASSWORD, "/new/dir")
    assert (created["email"], created["project_dirs"], created["is_superuser"]) == (email, ["/new/dir"], False)
    assert created["is_verified"] is True, "the client verifies with its second request"
    assert root("user", "show", created["id"])["group_ids_names"][0][1] == "All"
    assert email in {user["email"] for user in root("user", "list")}
    me = client(email)("user", "whoami")
    assert (me["id"], me["email"]) == (created["id"], email)
    shown = client(email).run("user", "whoami", "--viewer-paths")
    assert "/new/dir" in shown.stdout
    assert client(email)("--batch", "user", "whoami") == created["id"]


def test_register_a_superuser(server: Server, root: Client) -> None:
    created = root("--batch", "user", "register", "--superuser", server.new_email(), PASSWORD, "/new/dir")
    assert server.admin.get(f"/auth/users/{created}/")["is_superuser"] is True


def test_edit_with_every_option(server: Server, root: Client, client: Callable[..., Client]) -> None:
    user = root("user", "register", server.new_email(), PASSWORD, "/a")
    number = user["id"]
    moved = server.new_email()
    edited = root("user", "edit", number, "--new-email", moved, "--make-verified")
    assert (edited["email"], edited["is_verified"]) == (moved, True)
    assert root("user", "edit", number, "--add-project-dir", "/b")["project_dirs"] == ["/a", "/b"]
    # Alone, the second option ends in an error of the client's own.
    both = root("user", "edit", number, "--add-project-dir", "/c", "--remove-project-dir", "/a")
    assert both["project_dirs"] == ["/b", "/c"]
    assert root("user", "edit", number, "--new-profile-id", server.profile_id)["profile_id"] == server.profile_id
    for option, field, value in [
        ("--make-superuser", "is_superuser", True),
        ("--remove-superuser", "is_superuser", False),
        ("--remove-verified", "is_verified", False),
        ("--make-verified", "is_verified", True),
    ]:
        assert root("user", "edit", number, option)[field] is value
    root("user", "edit", number, "--new-password", NEW_PASSWORD)
    assert client(moved, NEW_PASSWORD)("--batch", "user", "whoami") == number
    Api.login(server.url, moved, NEW_PASSWORD).close()


def test_groups_and_their_members(server: Server, root: Client) -> None:
    user = server.register()
    name = f"group of {user['email']}"
    group = root("group", "new", name)
    assert (group["name"], group["user_ids"]) == (name, [])
    assert root("group", "add-user", group["id"], user["id"])["user_ids"] == [user["id"]]
    assert root("group", "get", group["id"])["user_ids"] == [user["id"]]
    assert {one["id"]: one["user_ids"] for one in root("group", "list")}[group["id"]] is None
    assert {one["id"]: one["user_ids"] for one in root("group", "list", "--user-ids")}[group["id"]] == [user["id"]]
    assert root("group", "remove-user", group["id"], user["id"])["user_ids"] == []
    everybody = next(one["id"] for one in root("group", "list") if one["name"] == "All")
    changed = root("user", "set-groups", user["id"], everybody, group["id"])
    assert changed["group_ids_names"] == [[everybody, "All"], [group["id"], name]]


def test_refusals_are_shown(server: Server, root: Client, client: Callable[..., Client]) -> None:
    user = server.register()
    everybody = next(one["id"] for one in root("group", "list") if one["name"] == "All")
    assert "REGISTER_USER_ALREADY_EXISTS" in root.fails("user", "register", user["email"], PASSWORD, "/a")
    assert "User 98765 not found." in root.fails("user", "show", 98765)
    assert "UserGroup 98765 not found." in root.fails("group", "get", 98765)
    assert "Cannot remove user from 'All' group." in root.fails("group", "remove-user", everybody, user["id"])
    assert "Forbidden" in client(user["email"]).fails("user", "list")
    client(user["email"], "wrong horse").fails("user", "whoami")
