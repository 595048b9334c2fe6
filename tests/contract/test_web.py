"""The ways of the web client (web-client §0): forms of many parts, cookies only, chunked bodies, impersonation."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes import until
from tests.wheels import make_wheel

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


def test_a_scientist_makes_a_project_runs_it_and_follows(server: Server, root: Browser) -> None:
    project = root.send("POST", "/api/v2/project/", {"name": "Web", "description": "d"})
    assert project.status_code == 201, project.text
    base = f"/api/v2/project/{project.json()['id']}/"
    assert root.send("POST", f"{base}star/").status_code == 200
    dataset = root.send("POST", f"{base}dataset/", {"name": "d"}).json()
    image = {"zarr_url": f"{dataset['zarr_dir']}/a", "attributes": {"well": "A1"}, "types": {}}
    assert root.send("POST", f"{base}dataset/{dataset['id']}/images/", image).status_code == 201
    page = root.send("POST", f"{base}dataset/{dataset['id']}/images/query/?page=1&page_size=10", {})
    assert [one["zarr_url"] for one in page.json()["items"]] == [image["zarr_url"]]
    body = {"name": f"web {project.json()['id']}", "version": "1", "command_parallel": "true"}
    task = root.send("POST", "/api/v2/task/?private=true", body).json()
    workflow = root.send("POST", f"{base}workflow/", {"name": "w"}).json()["id"]
    added = root.send("POST", f"{base}workflow/{workflow}/wftask/", [{"task_id": task["id"]}])
    assert added.status_code == 201
    query = f"workflow_id={workflow}&dataset_id={dataset['id']}"
    assert root.http.get(f"{base}latest-job/?{query}").status_code == 404
    job = root.send("POST", f"{base}job/submit/?{query}", {"first_task_index": 0, "last_task_index": 0})
    assert job.status_code == 202, job.text
    path = f"{base}job/{job.json()['id']}/"
    until(lambda: root.http.get(path).json()["status"] != "submitted", "the job has ended")
    for listed in ("/api/v2/job/?log=false", f"{base}workflow/{workflow}/job/", f"{base}job/?log=false"):
        assert [one["id"] for one in root.http.get(listed).json()] == [job.json()["id"]]
    download = root.http.get(f"{path}download/")
    assert (download.headers["content-type"], download.content[:2]) == ("application/x-zip-compressed", b"PK")
    latest = root.http.get(f"{base}latest-job/?{query}").json()
    assert latest["task_statuses"][str(added.json()[0]["id"])]["status"] == latest["status"]


def test_what_is_sent_without_need_is_taken(server: Server, root: Browser, tmp_path: Path) -> None:
    """An empty JSON body, or `{}`, where none is asked for; a wheel as a form of many parts."""
    body = {"name": f"web {server.new_email()}", "version": "1", "command_parallel": "true"}
    task = root.send("POST", "/api/v2/task/?private=true", body).json()
    group = task["taskgroupv2_id"]
    for path, empty in (
        (f"/api/v2/task-group/{group}/deactivate/", {}),
        (f"/api/v2/task-group/{group}/reactivate/", None),
        (f"/admin/v2/task-group/{group}/make-core/", None),
        (f"/admin/v2/task-group/{group}/make-not-core/", {}),
    ):
        assert root.send("POST", path, empty).is_success, path
    wheel = make_wheel(tmp_path, f"fractal-web-{group}")
    begun = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    parts = {"file": (wheel.name, wheel.read_bytes())}
    form = {"python_version": "", "package_extras": "", "pinned_package_versions_post": "{}"}
    activity = root.http.post("/api/v2/task/collect/pip/?private=true", files=parts, data=form)
    assert activity.status_code == 202, activity.text
    polled = f"/api/v2/task-group/activity/?timestamp_started_min={begun}"
    until(lambda: [one["status"] for one in root.http.get(polled).json()] == ["OK"], "the package is there", 60)
    pairs = root.http.get("/api/v2/task-group/?only_owner=true").json()
    assert [name for name, groups in pairs if groups[0]["origin"] == "wheel-file"] == [f"fractal-web-{group}"]
