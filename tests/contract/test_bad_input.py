"""What is wrong with a request is said, on every route: api §1.2, §26; and races past an endpoint's own check."""

import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.api import Api

from .levels import ROUTES, Level
from .server import Person, Server

NUL = "a\x00b"
BEYOND = str(2**31)
FAR_BEYOND = str(10**30)
AT_ONCE = 8
TOO_MUCH = 10**12
"""Bytes; announced, not sent."""
# A path may be anything here, and nothing is looked up.
WITH_ID = [route for route in ROUTES if "{" in route]
WITH_BODY = [route for route in ROUTES if route.startswith(("POST", "PUT", "PATCH"))]


def caller(server: Server, user: Person, route: str) -> httpx.Client:
    return server.admin.http if ROUTES[route] is Level.SUPER else user.api.http


def filled(route: str, value: str) -> tuple[str, str]:
    method, path = route.split()
    return method, re.sub(r"\{\w+\}", value, path)


@pytest.mark.parametrize("value", [BEYOND, FAR_BEYOND, "-1", "x", "%00"])
def test_ids_that_no_row_has(server: Server, user: Person, value: str) -> None:
    wrong: list[str] = []
    for route in WITH_ID:
        answer = caller(server, user, route).request(*filled(route, value))
        if not 400 <= answer.status_code < 500:
            wrong.append(f"{route}: {answer.status_code} {answer.text[:200]}")
    assert wrong == []


@pytest.mark.parametrize(
    "content",
    [
        {"content": b"{bad", "headers": {"content-type": "application/json"}},
        {"content": b"{}", "headers": {"content-type": "text/plain"}},
        {"content": b"\xff\xfe", "headers": {"content-type": "application/json"}},
        {"content": b"[" * 100_000, "headers": {"content-type": "application/json"}},
        {"json": {"name": NUL, NUL: NUL, "version": 2**70, "task_id": 2**70, "zarr_url": f"/{NUL}"}},
        {"json": [[[]]]},
        {"content": b"--x\r\n", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"content": b"", "headers": {"content-type": "multipart/form-data"}},
    ],
    ids=["malformed", "text", "not UTF-8", "deep", "values", "list", "cut off", "no boundary"],
)
def test_bodies_that_nobody_asked_for(server: Server, user: Person, content: dict[str, Any]) -> None:
    wrong: list[str] = []
    for route in WITH_BODY:
        method, url = filled(route, "98765")
        answer = caller(server, user, route).request(method, url, **content)
        if answer.status_code >= 500:
            wrong.append(f"{route}: {answer.status_code} {answer.text[:200]}")
    assert wrong == []


def test_values_that_cannot_be_stored_are_refused_and_change_nothing(user: Person) -> None:
    before = user.api.get("/api/v2/project/")
    for body in ({"name": "n", "description": NUL}, {"name": NUL}):
        assert user.api.http.post("/api/v2/project/", json=body).status_code == 422
    assert user.api.get("/api/v2/project/") == before
    for params in ({"dataset_name": NUL}, {"page": 2**70, "page_size": 2**40}, {"page_size": 2**70}):
        assert user.api.http.get("/api/v2/dataset/", params=params).status_code < 500


def test_bodies_too_large_are_refused_before_they_are_sent(server: Server, user: Person) -> None:
    address = urlsplit(server.url)
    token = user.api.http.headers["Authorization"]
    for route in WITH_BODY:
        method, url = filled(route, "98765")
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
            head = f"{method} {url} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: {TOO_MUCH}\r\n\r\n".encode())
            status = connection.recv(64).split()[1]
        assert status.startswith(b"4"), f"{route}: {status.decode()}"


def at_once(call: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(call, range(AT_ONCE)))


def one_of(answers: list[httpx.Response], status: int) -> list[Any]:
    """Exactly one had success; the details of the others, which are 4xx."""
    assert [answer.status_code for answer in answers].count(status) == 1
    others = [answer for answer in answers if answer.status_code != status]
    assert {answer.status_code // 100 for answer in others} == {4}
    return [answer.json()["detail"] for answer in others]


def test_one_dataset_takes_one_submission_at_a_time(server: Server, user: Person) -> None:
    task = user.api.puppet_task(server.folder, f"slow {server.new_email()}")
    project, dataset, workflow = user.api.prepared(server.folder, task, images=1, sleep=3)
    params = {"workflow_id": workflow, "dataset_id": dataset}
    path = f"/api/v2/project/{project}/job/submit/"
    details = one_of(at_once(lambda _: user.api.http.post(path, json={}, params=params)), 202)
    assert set(details) == {f"Dataset {dataset} is already in use in submitted job(s)."}


def test_one_image_is_added_once(user: Person) -> None:
    project = user.api.post("/api/v2/project/", {"name": "p"})["id"]
    dataset = user.api.post(f"/api/v2/project/{project}/dataset/", {"name": "d"})
    path = f"/api/v2/project/{project}/dataset/{dataset['id']}/images/"
    url = f"{dataset['zarr_dir']}/a"
    details = one_of(at_once(lambda _: user.api.http.post(path, json={"zarr_url": url})), 201)
    assert details == [[f"Image with zarr_url '{url}' already in DatasetV2 {dataset['id']}"]] * (AT_ONCE - 1)


def test_somebody_is_invited_once(user: Person, other: Person) -> None:
    project = user.api.post("/api/v2/project/", {"name": "p"})["id"]
    path = f"/api/v2/project/{project}/guest/"
    one_of(at_once(lambda _: user.api.http.post(path, json={"permissions": "r"}, params={"email": other.email})), 201)


def test_a_task_or_template_of_one_name_and_version_is_made_once(user: Person) -> None:
    body = {"name": "raced", "version": "1", "command_parallel": "x"}
    one_of(at_once(lambda _: user.api.http.post("/api/v2/task/", json=body)), 201)
    task = user.api.get("/api/v2/task/", name="raced")[0]["id"]
    project = user.api.post("/api/v2/project/", {"name": "p"})["id"]
    workflow = user.api.post(f"/api/v2/project/{project}/workflow/", {"name": "w"})["id"]
    user.api.post(f"/api/v2/project/{project}/workflow/{workflow}/wftask/", [{"task_id": task}])
    template = {"name": "raced", "version": 1}
    params = {"workflow_id": workflow}
    one_of(at_once(lambda _: user.api.http.post("/api/v2/workflow-template/", json=template, params=params)), 201)


def test_accounts_groups_resources_are_made_once(server: Server, admin: Api) -> None:
    email = server.new_email()
    body = {"email": email, "password": "correct horse", "project_dirs": ["/somewhere"]}
    one_of(at_once(lambda _: admin.http.post("/auth/register/", json=body)), 201)
    one_of(at_once(lambda _: admin.http.post("/auth/group/", json={"name": f"raced {email}"})), 201)
    resource = admin.get("/admin/v2/resource/")[0]
    copy = {key: value for key, value in resource.items() if key not in {"id", "timestamp_created"}}
    raced = copy | {"name": f"raced {email}"}
    one_of(at_once(lambda _: admin.http.post("/admin/v2/resource/", json=raced)), 201)
