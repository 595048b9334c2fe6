"""What is not good is refused in words, with a 4xx, and changes nothing: every route of `/auth/`."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api import Api

from .server import PASSWORD, Server

MIB = 1024 * 1024
HUGE_IDS = [2**31 - 1, 2**31, 2**63, 2**80, -1, 0]
JSON = {"Content-Type": "application/json"}
BODIES: dict[str, dict[str, Any]] = {
    "POST /auth/register/": {"email": "x@example.org", "password": PASSWORD, "project_dirs": ["/a"]},
    "PATCH /auth/users/{user_id}/": {"slurm_accounts": ["a"]},
    "POST /auth/users/{user_id}/set-groups/": {"group_ids": [1]},
    "POST /auth/group/": {"name": "x"},
    "PATCH /auth/current-user/": {"slurm_accounts": ["a"]},
}


def url(route: str, user: int, group: int) -> tuple[str, str]:
    method, path = route.split()
    return method, path.format(user_id=user, group_id=group)


@pytest.fixture
def target(server: Server) -> dict[str, Any]:
    return server.register()


@pytest.mark.parametrize("number", HUGE_IDS)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/auth/users/{}/", None),
        ("PATCH", "/auth/users/{}/", {}),
        ("POST", "/auth/users/{}/set-groups/", {"group_ids": [1]}),
    ],
)
def test_users_that_cannot_be(admin: Api, method: str, path: str, body: Any, number: int) -> None:
    answer = admin.call(method, path.format(number), 404, json=body)
    assert answer == {"detail": f"User {number} not found."}


@pytest.mark.parametrize("number", HUGE_IDS)
def test_groups_and_profiles_that_cannot_be(admin: Api, target: dict[str, Any], number: int) -> None:
    gone = {"detail": f"UserGroup {number} not found."}
    path = f"/auth/group/{number}/"
    assert admin.get(path, 404) == gone
    assert admin.delete(path, 404) == gone
    for verb in ("add-user", "remove-user"):
        assert admin.post(f"{path}{verb}/{target['id']}/", status=404) == gone
    group = admin.post("/auth/group/", {"name": f"group {target['id']} {number}"})["id"]
    for verb in ("add-user", "remove-user"):
        nobody = admin.post(f"/auth/group/{group}/{verb}/{number}/", status=404)
        assert nobody == {"detail": f"User {number} not found."}
    missing = {"detail": f"Profile {number} not found."}
    assert admin.patch(f"/auth/users/{target['id']}/", {"profile_id": number}, 404) == missing
    body = {"email": f"n{abs(number)}@example.org", "password": PASSWORD, "project_dirs": ["/a"], "profile_id": number}
    assert admin.post("/auth/register/", body, 404) == missing
    assert admin.get("/auth/users/", profile_id=number) == []
    if number >= 0:
        answer = admin.post(f"/auth/users/{target['id']}/set-groups/", {"group_ids": [number]}, 404)
        assert answer == {"detail": f"Some UserGroups in [{number}] do not exist."}


@pytest.mark.parametrize(
    ("route", "body", "field"),
    [
        ("POST /auth/group/", {"name": "a\0b"}, "name"),
        ("POST /auth/register/", {"project_dirs": ["/a\0b"]}, "project_dirs"),
        ("POST /auth/register/", {"project_dirs": ["s3://bucket/a\0b"]}, "project_dirs"),
        ("POST /auth/register/", {"email": "a\0b@example.org"}, "email"),
        ("POST /auth/register/", {"slurm_accounts": ["a\0b"]}, "slurm_accounts"),
        ("PATCH /auth/users/{user_id}/", {"project_dirs": ["/a\0b"]}, "project_dirs"),
        ("PATCH /auth/current-user/", {"slurm_accounts": ["a\0b"]}, "slurm_accounts"),
    ],
)
def test_nul_characters(server: Server, target: dict[str, Any], route: str, body: dict[str, Any], field: str) -> None:
    method, path = url(route, target["id"], 1)
    whole = BODIES[route] | {"email": server.new_email()} | body if "register" in route else body
    detail = server.admin.call(method, path, 422, json=whole)["detail"]
    assert {tuple(item["loc"][:2]) for item in detail} == {("body", field)}


@pytest.mark.parametrize("route", BODIES)
@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", JSON, 422),
        (b"", JSON, 422),
        (b"null", JSON, 422),
        (b"[]", JSON, 422),
        (b"NaN", JSON, 422),
        (b'"\\ud800"', JSON, 422),
        (b"\xff\xfe", JSON, 422),
        (b"[" * 100_000, JSON, 400),
        (b"9" * 10_000, JSON, 400),
        (b"{}", {"Content-Type": "text/plain"}, 422),
        (b"\xff\xfe", {"Content-Type": "application/octet-stream"}, 422),
        (b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 422),
        (b"--x\r\n", {"Content-Type": "multipart/form-data; boundary=x"}, 422),
    ],
)
def test_bodies_that_are_no_object(
    server: Server, target: dict[str, Any], route: str, content: bytes, headers: dict[str, str], status: int
) -> None:
    method, path = url(route, target["id"], 1)
    answer = server.admin.call(method, path, status, content=content, headers=headers)
    assert answer["detail"]


def values(body: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    for field in body:
        for value in (b"NaN", b"-Infinity", b"1e999", b'"\\ud800"', b'{"\\ud800": 1}', b"[[]]", b"9" * 4000):
            yield field, value


@pytest.mark.parametrize("route", BODIES)
def test_values_that_are_no_json_are_quoted_back(server: Server, target: dict[str, Any], route: str) -> None:
    method, path = url(route, target["id"], 1)
    for field, value in values(BODIES[route]):
        content = b'{"' + field.encode() + b'": ' + value + b"}"
        answer = server.admin.http.request(method, path, content=content, headers=JSON)
        assert answer.status_code == 422, (content, answer.text)
        assert ["body", field] in [item["loc"][:2] for item in answer.json()["detail"]]


@pytest.mark.parametrize("field", ["username", "password", "grant_type", "scope", "client_id"])
@pytest.mark.parametrize("value", ["a\0b", "x" * 100_000, "\ufffe", "é" * 73])
def test_login_takes_any_text(server: Server, anonymous: Api, field: str, value: str) -> None:
    form = {"username": server.new_email(), "password": "some password"} | {field: value}
    answer = anonymous.http.post("/auth/token/login/", data=form)
    assert answer.status_code == (422 if field == "grant_type" else 400), answer.text


@pytest.mark.parametrize("content", [b"username=%ff%fe&password=%ff", b"username=%zz&password=a", b"=&&=", b"\xff" * 9])
def test_login_takes_any_form(anonymous: Api, content: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = anonymous.http.post("/auth/token/login/", content=content, headers=headers)
    assert answer.status_code in (400, 422), answer.text


@pytest.mark.parametrize(
    ("path", "query", "kind"),
    [
        ("/auth/users/", "profile_id=", "int_parsing"),
        ("/auth/users/", "profile_id=null", "int_parsing"),
        ("/auth/users/", "profile_id=1.5", "int_parsing"),
        ("/auth/users/1/", "group_ids_names=", "bool_parsing"),
        ("/auth/users/1/", "group_ids_names=2", "bool_parsing"),
        ("/auth/users/x/", "", "int_parsing"),
        ("/auth/group/", "user_ids=maybe", "bool_parsing"),
        ("/auth/group/x/", "", "int_parsing"),
        ("/auth/current-user/", "group_ids_names=null", "bool_parsing"),
        ("/auth/current-user/allowed-viewer-paths/", "include_shared_projects=", "bool_parsing"),
    ],
)
def test_queries_and_paths(admin: Api, path: str, query: str, kind: str) -> None:
    (item,) = admin.call("GET", f"{path}?{query}", 422)["detail"]
    assert item["type"] == kind
    assert item["loc"][0] in ("query", "path")
    assert item.keys() <= {"type", "loc", "msg", "input", "ctx"}


def stream(size: int) -> Iterator[bytes]:
    for _ in range(size // 65536 + 1):
        yield b" " * 65536


@pytest.mark.parametrize("route", [*BODIES, "POST /auth/token/login/", "POST /auth/token/logout/"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit(server: Server, target: dict[str, Any], route: str, chunked: bool) -> None:
    method, path = url(route, target["id"], 1)
    reads_no_body = "logout" in route
    kind = "application/x-www-form-urlencoded" if "login" in route else "application/json"
    content = stream(2 * MIB) if chunked else b" " * (2 * MIB)
    answer = server.admin.http.request(method, path, content=content, headers={"Content-Type": kind})
    if chunked and reads_no_body:
        assert answer.status_code == 204
        return
    assert answer.status_code == 413
    assert answer.json() == {"detail": "The request body is larger than 1 MiB, the limit of this route."}


def test_methods_that_are_not_there(admin: Api, target: dict[str, Any]) -> None:
    for method, path in [
        ("DELETE", f"/auth/users/{target['id']}/"),
        ("PUT", f"/auth/users/{target['id']}/"),
        ("PATCH", "/auth/group/1/"),
        ("PUT", "/auth/group/1/"),
        ("OPTIONS", "/auth/current-user/"),
        ("HEAD", "/auth/current-user/"),
        ("GET", "/auth/token/login/"),
        ("GET", "/auth/register/"),
    ]:
        answer = admin.http.request(method, path)
        assert answer.status_code == 405, (method, path)
        assert not [name for name in answer.headers if name.startswith("access-control")]
    for path in ("/auth/users/me/", "/auth/forgot-password/", "/auth/reset-password/", "/auth/verify/"):
        status = admin.http.post(path).status_code
        assert status in (404, 405) or (status == 422 and re.search("me", path))
    assert admin.http.get("//auth/users/").status_code == 404
