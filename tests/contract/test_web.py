"""The ways of the web client (web-client §0): forms of many parts, cookies only, chunked bodies, impersonation."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from .server import PASSWORD, Server

UNDICI = {
    "origin": "http://localhost:5173",
    "accept": "*/*",
    "accept-language": "*",
    "sec-fetch-mode": "cors",
    "user-agent": "node",
    "accept-encoding": "gzip, deflate",
}


class Browser:
    """What the web client's server sends for a browser: of its headers, only the cookie and the content type."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, headers=UNDICI, timeout=30)

    def log_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        parts = {"username": (None, email), "password": (None, password)}
        answer = self.http.post("/auth/token/login/", files=parts)
        if answer.is_success:
            self.use(answer.json()["access_token"])
        return answer

    def use(self, token: str) -> None:
        self.http.headers["cookie"] = f"fastapiusersauth={token}"

    def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Bodies are chunked; without one, the length is told to be none."""
        if body is None:
            headers = {"content-type": "application/json", "content-length": "0"}
            return self.http.request(method, path, headers=headers)

        def chunks() -> Iterator[bytes]:
            text = json.dumps(body).encode()
            yield text[:3]
            yield text[3:]

        return self.http.request(method, path, content=chunks(), headers={"content-type": "application/json"})


@pytest.fixture
def browser(server: Server) -> Iterator[Browser]:
    browser = Browser(server.url)
    yield browser
    browser.http.close()


@pytest.fixture
def root(server: Server, browser: Browser) -> Browser:
    user = server.person(is_superuser=True)
    assert browser.log_in(user.email).status_code == 200
    return browser


def expiry(token: str) -> Any:
    """As the web client reads it, without the key."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]


def test_log_in_and_who_one_is(server: Server, browser: Browser) -> None:
    user = server.register()
    assert browser.http.get("/auth/current-user/", params={"group_ids_names": "false"}).status_code == 401
    answer = browser.log_in(user["email"])
    assert answer.status_code == 200
    assert isinstance(expiry(answer.json()["access_token"]), int)
    me = browser.http.get("/auth/current-user/", params={"group_ids_names": "false"}).json()
    assert (me["id"], me["is_superuser"], me["is_verified"], me["profile_id"]) == (user["id"], False, False, None)
    refused = browser.log_in(user["email"], "wrong horse")
    assert (refused.status_code, refused.json()) == (400, {"detail": "LOGIN_BAD_CREDENTIALS"})


def test_an_administrator_registers_edits_and_groups(server: Server, root: Browser) -> None:
    body = {"email": server.new_email(), "password": PASSWORD, "project_dirs": ["/a"], "profile_id": server.profile_id}
    created = root.send("POST", "/auth/register/", body)
    assert created.status_code == 201
    user = created.json()["id"]
    edited = root.send("PATCH", f"/auth/users/{user}/", {"is_verified": True, "is_guest": False})
    assert (edited.status_code, edited.json()["is_verified"]) == (200, True)
    group = root.send("POST", "/auth/group/", {"name": f"web {user}"}).json()["id"]
    for verb, members in (("add-user", [user]), ("remove-user", [])):
        answer = root.send("POST", f"/auth/group/{group}/{verb}/{user}/")
        assert (answer.status_code, answer.json()["user_ids"]) == (200, members)
    everybody = next(one["id"] for one in root.http.get("/auth/group/").json() if one["name"] == "All")
    answer = root.send("POST", f"/auth/users/{user}/set-groups/", {"group_ids": [everybody, group]})
    assert [one[0] for one in answer.json()["group_ids_names"]] == [everybody, group]
    assert root.send("DELETE", f"/auth/group/{group}/").status_code == 204


def test_errors_can_be_shown_next_to_their_fields(server: Server, root: Browser) -> None:
    body = {"email": "nobody", "password": PASSWORD, "project_dirs": ["/a"]}
    answer = root.send("POST", "/auth/register/", body)
    assert answer.status_code == 422
    (item,) = answer.json()["detail"]
    assert item["loc"] == ["body", "email"]
    assert item.keys() >= {"loc", "msg", "type"}


def test_log_out_then_impersonate_with_the_same_cookie(server: Server, root: Browser) -> None:
    user = server.person()
    assert root.send("POST", "/auth/token/logout/").status_code == 204
    answer = root.http.get(f"/admin/v2/impersonate/{user.id}/")
    assert answer.status_code == 200
    token = answer.json()["access_token"]
    assert isinstance(expiry(token), int)
    root.use(token)
    assert root.http.get("/auth/current-user/").json()["id"] == user.id
    assert root.http.get("/api/v2/project/").status_code == 200


@pytest.mark.parametrize("path", ["/api/settings/app", "/auth/current-user", "/api/v2/task-group/1"])
def test_a_missing_slash_is_followed(server: Server, root: Browser, path: str) -> None:
    first = root.http.get(path)
    assert (first.status_code, first.headers["location"]) == (307, f"{server.url}{path}/")
    assert root.http.get(first.headers["location"]).status_code in (200, 403, 404)
