"""Identity §8: which directories a data viewer may show to whom."""

from itertools import count
from typing import Any

import psycopg
import pytest

from tests.api import Api

from .server import Person, Server

_numbers = count(1)
PATHS = "/auth/current-user/allowed-viewer-paths/"


@pytest.fixture
def members(database: psycopg.Connection[Any]) -> Any:
    """Links a user to a project, as an accepted or pending invitation."""

    def link(project: int, user: Person, *, accepted: bool, permissions: str = "r") -> None:
        database.execute(
            "INSERT INTO jobs.linkuserprojectv2 (project_id, user_id, is_owner, is_verified, permissions)"
            " VALUES (%s, %s, false, %s, %s)",
            [project, user.id, accepted, permissions],
        )

    return link


def dataset(person: Person, project: int, zarr_dir: str) -> str:
    body = {"name": "data", "project_dir": person.project_dir, "zarr_subfolder": zarr_dir}
    return person.api.post(f"/api/v2/project/{project}/dataset/", body)["zarr_dir"]


def new_project(person: Person) -> int:
    return person.api.post("/api/v2/project/", {"name": f"project {next(_numbers)}"})["id"]


def test_own_directories_come_first_in_their_order(server: Server, user: Person) -> None:
    dirs = [user.project_dir, "/b", "s3://bucket/a/", "/a"]
    server.admin.patch(f"/auth/users/{user.id}/", {"project_dirs": dirs})
    assert user.api.get(PATHS) == dirs


def test_datasets_of_own_and_shared_projects_once_each(user: Person, other: Person, members: Any) -> None:
    own, shared, pending, foreign = (new_project(person) for person in (user, other, other, other))
    mine = {dataset(user, own, "one"), dataset(user, own, "two")}
    dataset(user, new_project(user), "one")
    theirs = dataset(other, shared, "shared")
    dataset(other, pending, "pending")
    dataset(other, foreign, "foreign")
    members(shared, user, accepted=True)
    members(pending, user, accepted=False)
    paths = user.api.get(PATHS)
    assert paths[0] == user.project_dir
    assert sorted(paths[1:]) == sorted(mine | {theirs})
    assert user.api.get(PATHS, include_shared_projects=True) == paths
    assert user.api.get(PATHS, include_shared_projects=False) == [user.project_dir]


def test_characters_are_those_of_the_path(server: Server, user: Person) -> None:
    dirs = ["/ü/\u65e5\u672c", '/with "quotes" and spaces']
    server.admin.patch(f"/auth/users/{user.id}/", {"project_dirs": dirs})
    answer = user.api.http.get(PATHS)
    assert (answer.json(), answer.headers["content-type"]) == (dirs, "application/json")


def test_guests_and_people_without_profile_may_look(server: Server, guest: Person) -> None:
    assert guest.api.get(PATHS) == [guest.project_dir]
    nobody = server.person(profile_id="keep")
    assert nobody.api.get(PATHS) == [nobody.project_dir]


def test_it_takes_a_verified_account(server: Server, anonymous: Api) -> None:
    assert anonymous.get(PATHS, 401) == {"detail": "Unauthorized"}
    assert server.person(is_verified=False).api.get(PATHS, 403) == {"detail": "Forbidden"}


def test_a_guests_project_holds_the_directory_as_well(
    admin: Api, user: Person, other: Person, members: Any, database: psycopg.Connection[Any]
) -> None:
    """A dataset of somebody else's project below one's own directory (checklist 24)."""
    project = new_project(other)
    dataset(other, project, "data")
    path = f"{user.project_dir}/in-my-directory"
    database.execute("UPDATE jobs.datasetv2 SET zarr_dir = %s WHERE project_id = %s", [path, project])
    change = {"project_dirs": ["/elsewhere"]}
    members(project, user, accepted=False)
    assert admin.patch(f"/auth/users/{user.id}/", change)["project_dirs"] == ["/elsewhere"]
    admin.patch(f"/auth/users/{user.id}/", {"project_dirs": [user.project_dir]})
    database.execute("UPDATE jobs.linkuserprojectv2 SET is_verified = true WHERE project_id = %s", [project])
    detail = admin.patch(f"/auth/users/{user.id}/", change, 422)["detail"]
    assert detail.startswith(f"You tried updating the user project_dirs, removing ['{user.project_dir}'].")
