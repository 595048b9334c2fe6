"""Identity §2.6: the default group is configured, and somebody has taken it away."""

from collections.abc import Generator

import pytest

from .replicas import PASSWORD, Replicas

MISSING = {"detail": ["User group 'All' not found."]}


@pytest.fixture
def without_default(replicas: Replicas) -> Generator[int]:
    """Its id, under another name."""
    rename = "UPDATE auth.usergroup SET name = %s WHERE name = %s RETURNING id"
    row = replicas.database.execute(rename, ["was All", "All"]).fetchone()
    assert row is not None
    yield row[0]
    replicas.database.execute(rename, ["All", "was All"])


def test_memberships_cannot_be_changed(replicas: Replicas, without_default: int) -> None:
    user = replicas.admin.get("/auth/current-user/")["id"]
    body = {"group_ids": [without_default]}
    assert replicas.admin.post(f"/auth/users/{user}/set-groups/", body, 404) == MISSING
    assert replicas.admin.post(f"/auth/group/{without_default}/remove-user/{user}/", status=404) == MISSING


def test_users_are_registered_nevertheless(replicas: Replicas, without_default: int) -> None:
    body = {"email": replicas.new_email(), "password": PASSWORD, "project_dirs": ["/a"]}
    user = replicas.admin.post("/auth/register/", body)
    assert replicas.admin.get(f"/auth/users/{user['id']}/")["group_ids_names"] == []


def test_it_is_an_ordinary_group_by_another_name(replicas: Replicas, without_default: int) -> None:
    user = replicas.admin.get("/auth/current-user/", group_ids_names=True)
    assert [without_default, "was All"] in user["group_ids_names"]
