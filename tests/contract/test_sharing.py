"""api §3.2, §7: who may do what in somebody else's project."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api import Api

from .server import Person, Server

NOT_AUTHORIZED = {
    "detail": "You are not authorized to perform this action. If you think this is by mistake, please contact the "
    "project owner."
}
NOT_OWNER = {"detail": "Current user is not the project owner."}
NOT_LINKED = {"detail": "User is not linked to project."}
NO_INVITATION = {"detail": "No pending invitation for user on this project."}
IS_OWNER = {"detail": "Cannot perform this operation on project owner."}
NO_USER = {"detail": "User not found."}


@pytest.fixture
def project(user: Person) -> int:
    return user.api.post("/api/v2/project/", {"name": "Shared"})["id"]


@pytest.fixture
def base(project: int) -> str:
    return f"/api/v2/project/{project}/"


def invite(owner: Person, base: str, email: str, permissions: str = "r", status: int = 201) -> object:
    return owner.api.post(f"{base}guest/", {"permissions": permissions}, status, email=email)


def share(owner: Person, base: str, guest: Person, permissions: str) -> None:
    invite(owner, base, guest.email, permissions)
    guest.api.post(f"{base}access/accept/", status=200)


def test_an_invitation_is_listed_and_accepted(user: Person, other: Person, project: int, base: str) -> None:
    answer = user.api.http.post(f"{base}guest/", json={"permissions": "rw", "more": 1}, params={"email": other.email})
    assert (answer.status_code, answer.content, answer.headers.get("content-type")) == (201, b"", None)
    assert user.api.get(f"{base}guest/") == [{"email": other.email, "is_verified": False, "permissions": "rw"}]
    assert other.api.get("/api/v2/project/invitation/") == [
        {"project_id": project, "project_name": "Shared", "owner_email": user.email, "guest_permissions": "rw"}
    ]
    assert other.api.post(f"{base}access/accept/", status=200) is None
    assert other.api.post(f"{base}access/accept/", status=404) == NO_INVITATION
    assert other.api.get("/api/v2/project/invitation/") == []
    assert user.api.get(f"{base}guest/") == [{"email": other.email, "is_verified": True, "permissions": "rw"}]
    access = {"is_owner": False, "permissions": "rw", "owner_email": user.email}
    assert other.api.get(f"{base}access/") == access
    assert user.api.get(f"{base}access/") == access | {"is_owner": True, "permissions": "rwx"}
    assert [one["id"] for one in other.api.get("/api/v2/project/", is_owner=False)] == [project]
    assert other.api.get("/api/v2/project/") == []
    assert user.api.get("/api/v2/project/", is_owner=False) == []


def test_a_pending_invitation_gives_no_access_anywhere(user: Person, other: Person, project: int, base: str) -> None:
    dataset = user.api.post(f"{base}dataset/", {"name": "d"})["id"]
    workflow = user.api.post(f"{base}workflow/", {"name": "w"})["id"]
    invite(user, base, other.email, "rwx")
    for path in ("", "dataset/", f"dataset/{dataset}/", f"dataset/{dataset}/export/", "workflow/", "job/"):
        assert other.api.get(f"{base}{path}", 403) == NOT_AUTHORIZED, path
    for path in ("", "export/", "type-filters-flow/", "version-update-candidates/", "job/"):
        assert other.api.get(f"{base}workflow/{workflow}/{path}", 403) == NOT_AUTHORIZED, path
    assert other.api.post(f"{base}dataset/{dataset}/images/query/", {}, 403) == NOT_AUTHORIZED
    assert other.api.post(f"{base}star/", status=403) == NOT_AUTHORIZED
    assert other.api.delete(base, 403) == NOT_AUTHORIZED
    assert other.api.get(f"{base}access/", 404) == {"detail": f"User has no access to project {project}."}
    assert other.api.get("/api/v2/project/", is_owner=False) == []
    assert other.api.get("/api/v2/dataset/")["items"] == []
    assert other.api.get("/api/v2/job/") == []


def test_permissions_include_one_another(user: Person, other: Person, base: str) -> None:
    workflow = user.api.post(f"{base}workflow/", {"name": "w"})["id"]
    dataset = user.api.post(f"{base}dataset/", {"name": "d"})["id"]
    submission = {"workflow_id": workflow, "dataset_id": dataset}
    share(user, base, other, "r")
    assert other.api.get(base)["name"] == "Shared"
    assert other.api.get(f"{base}workflow/{workflow}/export/")["name"] == "w"
    assert other.api.post(f"{base}workflow/", {"name": "x"}, 403) == NOT_AUTHORIZED
    assert other.api.post(f"{base}star/", status=403) == NOT_AUTHORIZED

    def grant(permissions: str) -> None:
        body = {"permissions": permissions}
        assert user.api.patch(f"{base}guest/", body, email=other.email) is None

    grant("rw")
    other.api.post(f"{base}workflow/", {"name": "x"})
    other.api.post(f"{base}star/", status=200)
    assert user.api.get(base)["is_starred"] is True
    assert other.api.post(f"{base}job/submit/", {}, 403, **submission) == NOT_AUTHORIZED
    assert other.api.delete(base, 403) == NOT_AUTHORIZED
    grant("rwx")
    assert other.api.post(f"{base}job/submit/", {}, 422, **submission)["detail"] != NOT_AUTHORIZED["detail"]
    assert other.api.delete(base, 403) == {"detail": "Only the owner can delete a Project."}
    assert other.api.get(f"{base}guest/", 403) == NOT_OWNER


def test_only_the_owner_shares(user: Person, other: Person, server: Server, base: str) -> None:
    third = server.person()
    share(user, base, other, "rwx")
    body = {"permissions": "r"}
    for path in (base, "/api/v2/project/98765/", f"/api/v2/project/{2**40}/"):
        assert other.api.get(f"{path}guest/", 403) == NOT_OWNER
        assert other.api.post(f"{path}guest/", body, 403, email=third.email) == NOT_OWNER
        assert other.api.patch(f"{path}guest/", body, 403, email=third.email) == NOT_OWNER
        assert other.api.delete(f"{path}guest/", 403, email=third.email) == NOT_OWNER
    assert [one["email"] for one in user.api.get(f"{base}guest/")] == [other.email]


def test_invitations_go_to_users_who_are_not_associated_yet(user: Person, other: Person, base: str) -> None:
    assert invite(user, base, "nobody@example.org", status=404) == NO_USER
    associated = {"detail": "User is already associated to project."}
    assert invite(user, base, user.email, status=422) == associated
    invite(user, base, other.email)
    assert invite(user, base, other.email, "rwx", status=422) == associated
    assert user.api.get(f"{base}guest/")[0]["permissions"] == "r"
    (item,) = user.api.post(f"{base}guest/", {"permissions": "x"}, 422, email=other.email)["detail"]
    assert (item["type"], item["msg"]) == ("enum", "Input should be 'r', 'rw' or 'rwx'")
    (item,) = user.api.post(f"{base}guest/", {"permissions": "r"}, 422, email="nobody")["detail"]
    assert (item["type"], item["loc"]) == ("value_error", ["query", "email"])
    assert item["msg"].startswith("value is not a valid email address: ")
    (item,) = user.api.post(f"{base}guest/", {"permissions": "r"}, 422)["detail"]
    assert (item["type"], item["loc"]) == ("missing", ["query", "email"])


def test_the_domain_of_an_email_is_lowered(user: Person, other: Person, base: str) -> None:
    name, domain = other.email.split("@")
    invite(user, base, f"{name}@{domain.upper()}")
    assert invite(user, base, f"{name.upper()}@{domain}", status=404) == NO_USER
    assert [one["email"] for one in user.api.get(f"{base}guest/")] == [other.email]


def test_changes_and_revocations_name_a_guest(user: Person, other: Person, base: str) -> None:
    body = {"permissions": "rw"}
    assert user.api.patch(f"{base}guest/", body, 404, email="nobody@example.org") == NO_USER
    assert user.api.patch(f"{base}guest/", body, 422, email=user.email) == IS_OWNER
    assert user.api.patch(f"{base}guest/", body, 404, email=other.email) == NOT_LINKED
    assert user.api.delete(f"{base}guest/", 404, email="nobody@example.org") == NO_USER
    assert user.api.delete(f"{base}guest/", 422, email=user.email) == IS_OWNER
    assert user.api.delete(f"{base}guest/", 404, email=other.email) == NOT_LINKED


def test_a_pending_invitation_can_be_changed_and_cancelled(user: Person, other: Person, base: str) -> None:
    invite(user, base, other.email)
    user.api.patch(f"{base}guest/", {"permissions": "rwx"}, email=other.email)
    assert other.api.get("/api/v2/project/invitation/")[0]["guest_permissions"] == "rwx"
    user.api.delete(f"{base}guest/", email=other.email)
    assert other.api.get("/api/v2/project/invitation/") == []
    assert other.api.post(f"{base}access/accept/", status=404) == NOT_LINKED


def test_guests_leave_or_decline_and_owners_stay(user: Person, other: Person, project: int, base: str) -> None:
    assert other.api.delete(f"{base}access/", 404) == NOT_LINKED
    invite(user, base, other.email)
    other.api.delete(f"{base}access/")
    assert user.api.get(f"{base}guest/") == []
    share(user, base, other, "rw")
    other.api.delete(f"{base}access/")
    assert other.api.get(base, 403) == NOT_AUTHORIZED
    assert user.api.delete(f"{base}access/", 422) == {"detail": f"You are the owner of project {project}."}
    assert user.api.post(f"{base}access/accept/", status=404) == NO_INVITATION
    assert user.api.get(base)["name"] == "Shared"


def test_revoked_guests_lose_access_at_once(user: Person, other: Person, base: str) -> None:
    share(user, base, other, "rwx")
    assert other.api.get(base)
    user.api.delete(f"{base}guest/", email=other.email)
    assert other.api.get(base, 403) == NOT_AUTHORIZED


def test_guest_accounts_are_invited_and_see_no_invitation(user: Person, guest: Person, base: str) -> None:
    invite(user, base, guest.email)
    assert guest.api.get("/api/v2/project/invitation/") == []
    no_guests = {"detail": "This feature is not available for guest users."}
    assert guest.api.post(f"{base}access/accept/", status=403) == no_guests
    assert guest.api.delete(f"{base}access/", 403) == no_guests
    user.api.patch(f"{base}guest/", {"permissions": "rwx"}, email=guest.email)
    assert user.api.get(f"{base}guest/") == [{"email": guest.email, "is_verified": False, "permissions": "rwx"}]


def test_users_without_a_profile_can_be_invited(user: Person, server: Server, base: str) -> None:
    bare = server.person(profile_id="keep")
    invite(user, base, bare.email)
    assert [one["email"] for one in user.api.get(f"{base}guest/")] == [bare.email]


def test_guests_by_email_and_invitations_by_project_name(user: Person, other: Person, server: Server) -> None:
    projects = [user.api.post("/api/v2/project/", {"name": name})["id"] for name in ("b", "c", "a")]
    third = server.person()
    for project in projects:
        invite(user, f"/api/v2/project/{project}/", other.email)
    invite(user, f"/api/v2/project/{projects[0]}/", third.email)
    guests = [one["email"] for one in user.api.get(f"/api/v2/project/{projects[0]}/guest/")]
    assert sorted(guests) == sorted([other.email, third.email])
    assert [one["project_name"] for one in other.api.get("/api/v2/project/invitation/")] == ["a", "b", "c"]


def test_a_guest_may_rename_to_a_name_that_the_owner_uses(user: Person, other: Person, base: str) -> None:
    user.api.post("/api/v2/project/", {"name": "Taken"})
    other.api.post("/api/v2/project/", {"name": "Mine"})
    share(user, base, other, "rw")
    assert other.api.patch(base, {"name": "Mine"}, 422) == {"detail": "Project name (Mine) already in use"}
    assert other.api.patch(base, {"name": "Taken"})["name"] == "Taken"


def test_with_other_methods_the_literal_is_read_as_an_id(user: Person) -> None:
    for method, path in (("PATCH", "/api/v2/project/invitation/"), ("DELETE", "/api/v2/project/invitation/")):
        (item,) = user.api.call(method, path, 422, json={})["detail"]
        assert item["type"] == "int_parsing"


def test_simultaneous_invitations_make_one_link(user: Person, other: Person, base: str) -> None:
    def attempt(_: int) -> int:
        api = Api(str(user.api.http.base_url))
        api.http.headers = user.api.http.headers
        answer = api.http.post(f"{base}guest/", json={"permissions": "r"}, params={"email": other.email})
        api.close()
        assert answer.status_code == 201 or answer.json() == {"detail": "User is already associated to project."}
        return answer.status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(attempt, range(6)))
    assert sorted(statuses) == [201, 422, 422, 422, 422, 422]
    assert len(user.api.get(f"{base}guest/")) == 1
