"""api §25.1: projects of everybody, their members, transfer of ownership, invitations accepted for guest accounts."""

from typing import Any

import pytest

from tests.api import Api

from .server import Person, Server

PROJECT_KEYS = ["id", "name", "description", "is_starred", "timestamp_created", "user_email"]
MEMBER_KEYS = ["user_id", "user_email", "project_id", "project_name", "is_verified", "is_owner", "permissions"]


def new_project(person: Person, name: str) -> int:
    return person.api.post("/api/v2/project/", {"name": name})["id"]


def invite(owner: Person, project: int, guest: Person, permissions: str = "r") -> None:
    owner.api.post(f"/api/v2/project/{project}/guest/", {"permissions": permissions}, email=guest.email)


def items(admin: Api, path: str, **query: Any) -> list[dict[str, Any]]:
    return admin.call("GET", path, params=query)["items"]


def test_projects_by_owner_and_name(admin: Api, user: Person, other: Person) -> None:
    ids = [new_project(user, name) for name in ("Beta cells", "alpha_1", "gamma")]
    theirs = new_project(other, "alphaX1")
    mine = items(admin, "/admin/v2/project/", user_email=user.email)
    assert sorted(project["id"] for project in mine) == sorted(ids)
    assert sorted(project["name"] for project in mine) == sorted(["Beta cells", "alpha_1", "gamma"])
    assert list(mine[0]) == PROJECT_KEYS
    assert {project["user_email"] for project in mine} == {user.email}
    assert mine[0]["timestamp_created"].endswith("+00:00")
    assert [one["id"] for one in items(admin, "/admin/v2/project/", project_id=theirs)] == [theirs]
    assert items(admin, "/admin/v2/project/", project_id=98765) == []
    assert items(admin, "/admin/v2/project/", project_id=2**40) == []
    # Case does not matter, and `_` is a wildcard.
    found = [one["id"] for one in items(admin, "/admin/v2/project/", name="ALPHA_1")]
    assert sorted(found) == sorted([ids[1], theirs])
    emails = [one["user_email"] for one in items(admin, "/admin/v2/project/")]
    assert emails == sorted(emails)
    page = admin.get("/admin/v2/project/", user_email=user.email, page=2, page_size=2)
    assert (page["current_page"], page["page_size"], page["total_count"]) == (2, 2, 3)
    assert page["items"] == mine[2:]
    assert admin.get("/admin/v2/project/", 422, page=0)["detail"].startswith("Invalid pagination parameters.")


def test_members_of_all_projects(admin: Api, user: Person, other: Person) -> None:
    project = new_project(user, f"shared by {user.id}")
    invite(user, project, other, "rw")
    name = f"shared by {user.id}"
    rows = items(admin, "/admin/v2/linkuserproject/", project_id=project)
    assert list(rows[0]) == MEMBER_KEYS
    assert sorted(rows, key=lambda row: row["user_id"]) == [
        {
            "user_id": user.id,
            "user_email": user.email,
            "project_id": project,
            "project_name": name,
            "is_verified": True,
            "is_owner": True,
            "permissions": "rwx",
        },
        {
            "user_id": other.id,
            "user_email": other.email,
            "project_id": project,
            "project_name": name,
            "is_verified": False,
            "is_owner": False,
            "permissions": "rw",
        },
    ]
    for query, expected in (
        ({"project_id": project, "is_owner": True}, [user.id]),
        ({"project_id": project, "is_owner": False}, [other.id]),
        ({"project_id": project, "is_verified": False}, [other.id]),
        ({"project_name": name.upper(), "user_id": other.id}, [other.id]),
        ({"user_id": user.id}, [user.id]),
        ({"project_name": "no such name"}, []),
    ):
        assert [row["user_id"] for row in items(admin, "/admin/v2/linkuserproject/", **query)] == expected
    page = admin.get("/admin/v2/linkuserproject/", project_id=project, page=2, page_size=1)
    assert (page["total_count"], page["items"]) == (2, rows[1:])


def transfer(admin: Api, project: int, user_id: int, status: int = 200) -> Any:
    return admin.call("PATCH", f"/admin/v2/project/{project}/", status, params={"user_id": user_id})


def test_a_transfer_takes_everything_from_the_old_owner(admin: Api, user: Person, other: Person) -> None:
    project = new_project(user, f"to hand over {user.id}")
    invite(user, project, other, "r")
    third = new_project(other, "another")
    dataset = user.api.post(f"/api/v2/project/{project}/dataset/", {"name": "d"})
    refused = transfer(admin, project, other.id, 422)
    assert refused["detail"] == (
        f"Cannot transfer project ownership because zarr_dir='{dataset['zarr_dir']}' is not relative to one of "
        f"{other.email} project dirs. You can fix it by editing {other.email} project dirs."
    )
    assert len(items(admin, "/admin/v2/linkuserproject/", project_id=project)) == 2
    admin.patch(f"/auth/users/{other.id}/", {"project_dirs": [other.project_dir, user.project_dir]})
    answer = admin.http.patch(f"/admin/v2/project/{project}/", params={"user_id": other.id})
    assert (answer.status_code, answer.content) == (200, b"")
    (row,) = items(admin, "/admin/v2/linkuserproject/", project_id=project)
    assert (row["user_id"], row["is_owner"], row["is_verified"], row["permissions"]) == (other.id, True, True, "rwx")
    user.api.get(f"/api/v2/project/{project}/", 403)
    assert {one["id"] for one in other.api.get("/api/v2/project/")} == {project, third}


def test_transfers_that_are_refused_in_this_order(server: Server, admin: Api, user: Person, other: Person) -> None:
    project = new_project(user, f"mine {user.id}")
    assert transfer(admin, 98765, 98765, 404) == {"detail": "Project 98765 not found."}
    assert transfer(admin, project, 98765, 404) == {"detail": "User 98765 not found."}
    assert transfer(admin, project, 2**40, 404) == {"detail": f"User {2**40} not found."}
    bare = server.person(profile_id="keep", is_guest=True)
    no_profile = "is not associated to a computational profile. Please contact an admin."
    assert transfer(admin, project, bare.id, 422) == {"detail": f"User {bare.email} {no_profile}"}
    guest = server.person(is_guest=True)
    answer = transfer(admin, project, guest.id, 422)
    assert answer == {"detail": "Cannot transfer ownership to a guest user."}
    answer = transfer(admin, project, user.id, 422)
    assert answer == {"detail": f"User {user.id} is already the owner of project {project}."}

    new_project(other, f"mine {user.id}")
    answer = transfer(admin, project, other.id, 422)
    assert answer == {"detail": f"Project name (mine {user.id}) already in use"}

    resource = admin.get("/admin/v2/resource/")[0]
    elsewhere = {**resource, "name": f"elsewhere {user.id}"}
    del elsewhere["id"], elsewhere["timestamp_created"]
    new_resource = admin.post("/admin/v2/resource/", elsewhere)
    profile = {"name": f"elsewhere {user.id}", "resource_type": "local"}
    profile_id = admin.post(f"/admin/v2/resource/{new_resource['id']}/profile/", profile)["id"]
    moved = server.person(profile_id=profile_id)
    answer = transfer(admin, project, moved.id, 422)
    names = f"('{resource['name']}' and '{elsewhere['name']}')"
    assert answer == {"detail": f"Users are associated to different computational resources {names}."}

    admin.patch(f"/auth/users/{user.id}/", {"profile_id": None})
    assert transfer(admin, project, moved.id, 422) == {"detail": f"User {user.email} {no_profile}"}
    (row,) = items(admin, "/admin/v2/linkuserproject/", project_id=project)
    assert row["user_id"] == user.id
    admin.patch(f"/auth/users/{moved.id}/", {"profile_id": None})
    admin.delete(f"/admin/v2/profile/{profile_id}/")
    admin.delete(f"/admin/v2/resource/{new_resource['id']}/")


def verify(admin: Api, user_id: int, project: int, status: int = 200) -> Any:
    path = "/admin/v2/linkuserproject/verify/"
    return admin.call("POST", path, status, params={"guest_user_id": user_id, "project_id": project})


def test_an_administrator_accepts_for_a_guest_account(
    server: Server, admin: Api, user: Person, other: Person, guest: Person
) -> None:
    project = new_project(user, f"for guests {user.id}")
    assert verify(admin, 98765, project, 404) == {"detail": "User 98765 not found."}
    assert verify(admin, other.id, project, 422) == {"detail": "Cannot accept invitations for non-guest users."}
    assert verify(admin, guest.id, project, 404) == {"detail": "User is not linked to project."}
    assert verify(admin, guest.id, 98765, 404) == {"detail": "User is not linked to project."}
    invite(user, project, guest, "rw")
    answer = verify(admin, guest.id, project, 422)
    assert answer == {"detail": "Guest users can only have 'r' permission (given: 'rw')"}
    user.api.patch(f"/api/v2/project/{project}/guest/", {"permissions": "r"}, email=guest.email)
    guest.api.get(f"/api/v2/project/{project}/", 403)
    assert verify(admin, guest.id, project) is None
    assert guest.api.get(f"/api/v2/project/{project}/")["id"] == project
    answer = verify(admin, guest.id, project, 404)
    assert answer == {"detail": "No pending invitation for user on this project."}


@pytest.mark.parametrize("query", [{"guest_user_id": 1}, {"project_id": 1}, {}])
def test_both_ids_are_needed(admin: Api, query: dict[str, int]) -> None:
    answer = admin.call("POST", "/admin/v2/linkuserproject/verify/", 422, params=query)
    assert {error["type"] for error in answer["detail"]} == {"missing"}
