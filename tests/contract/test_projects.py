"""api §6: projects."""

from typing import Any

import pytest

from .server import Person

PROJECT_KEYS = ["id", "name", "description", "timestamp_created", "is_starred"]
NOT_AUTHORIZED = (
    "You are not authorized to perform this action. If you think this is by mistake, please contact the project owner."
)
GUESTS = "This feature is not available for guest users."


def test_names_are_stripped_and_unique_for_their_owner(user: Person, other: Person) -> None:
    created = user.api.post("/api/v2/project/", {"name": "  My Proj 1 ", "description": "why"})
    assert (created["name"], created["description"], created["is_starred"]) == ("My Proj 1", "why", False)
    assert created["timestamp_created"].endswith("+00:00")
    taken = {"detail": "Project name (My Proj 1) already in use"}
    assert user.api.post("/api/v2/project/", {"name": "My Proj 1"}, 422) == taken
    other.api.post("/api/v2/project/", {"name": "My Proj 1"})
    second = user.api.post("/api/v2/project/", {"name": "second"})
    assert user.api.patch(f"/api/v2/project/{second['id']}/", {"name": "My Proj 1"}, 422) == taken
    assert user.api.patch(f"/api/v2/project/{second['id']}/", {"name": "second"})["name"] == "second"


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ({}, "missing", "Field required"),
        ({"name": " "}, "string_too_short", "String should have at least 1 character"),
        ({"name": "a/b"}, "string_pattern_mismatch", "String should match pattern '^([a-zA-Z0-9_. -]+)$'"),
        ({"name": "a", "is_starred": True}, "extra_forbidden", "Extra inputs are not permitted"),
        ({"name": "nul\0"}, "string_pattern_mismatch", "String should match pattern '^([a-zA-Z0-9_. -]+)$'"),
    ],
)
def test_bad_names_are_refused(user: Person, body: dict[str, Any], kind: str, message: str) -> None:
    (item,) = user.api.post("/api/v2/project/", body, 422)["detail"]
    assert (item["type"], item["msg"]) == (kind, message)


def test_own_projects_starred_first_then_newest(user: Person) -> None:
    ids = [user.api.post("/api/v2/project/", {"name": f"p{number}"})["id"] for number in range(3)]
    assert [project["id"] for project in user.api.get("/api/v2/project/")] == ids[::-1]
    assert user.api.post(f"/api/v2/project/{ids[0]}/star/", status=200) is None
    user.api.post(f"/api/v2/project/{ids[0]}/star/", status=200)
    assert [project["id"] for project in user.api.get("/api/v2/project/")] == [ids[0], ids[2], ids[1]]
    user.api.post(f"/api/v2/project/{ids[0]}/unstar/", status=200)
    assert [project["id"] for project in user.api.get("/api/v2/project/")] == ids[::-1]
    assert user.api.get("/api/v2/project/", is_owner=False) == []


def test_strangers_learn_that_a_project_exists_and_no_more(user: Person, other: Person) -> None:
    project = user.api.post("/api/v2/project/", {"name": "mine"})["id"]
    for method in ("GET", "DELETE"):
        assert other.api.call(method, f"/api/v2/project/{project}/", 403) == {"detail": NOT_AUTHORIZED}
        assert other.api.call(method, "/api/v2/project/98765/", 404) == {"detail": "Project not found"}
    other.api.patch(f"/api/v2/project/{project}/", {"name": "x"}, 403)
    for part in ("dataset", "workflow", "job"):
        other.api.get(f"/api/v2/project/{project}/{part}/", 403)
        user.api.get(f"/api/v2/project/{project}/{part}/98765/", 404)
    assert user.api.get(f"/api/v2/project/{2**31}/", 404) == {"detail": "Project not found"}


def test_guests_are_refused_before_their_body_is_looked_at(guest: Person) -> None:
    assert guest.api.post("/api/v2/project/", {"x": 1}, 403) == {"detail": GUESTS}
    assert guest.api.get("/api/v2/project/") == []


def test_a_description_can_be_cleared_and_a_name_cannot(user: Person) -> None:
    project = user.api.post("/api/v2/project/", {"name": "p", "description": "d"})
    path = f"/api/v2/project/{project['id']}/"
    assert user.api.patch(path, {}) == project
    assert user.api.patch(path, {"description": None})["description"] is None
    assert user.api.patch(path, {"name": None}, 422)["detail"][0]["type"] == "string_type"
    user.api.delete(path)
    user.api.get(path, 404)
