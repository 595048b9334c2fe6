"""The embedded stack behind its one port: up, down, and any part killed while a job runs."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.api import Api
from tests.processes import processes_of, until

from .embedded import ADMIN, Embedded

PARTS = ["jobs-api", "auth", "engine", "agent", "nats", "gateway", "postgres"]


def test_up_says_where_and_as_whom(embedded: Embedded) -> None:
    done = embedded.command("up")  # again: what runs stays
    assert done.returncode == 0
    for text in (embedded.url, ADMIN, embedded.password):
        assert text in done.stdout
    status = embedded.command("status")
    assert status.returncode == 0
    assert {line.split()[0] for line in status.stdout.splitlines()[1:]} == set(PARTS)
    assert embedded.command("url").stdout.strip() == embedded.url


def test_one_port_answers_for_both_services(embedded: Embedded) -> None:
    admin = embedded.login()
    assert admin.get("/auth/current-user/")["email"] == ADMIN
    assert admin.get("/api/v2/project/") == []
    assert [resource["type"] for resource in admin.get("/admin/v2/resource/")] == ["local"]
    assert "swagger-ui" in httpx.get(f"{embedded.url}/docs").text
    paths = admin.get("/openapi.json")["paths"]
    assert {"/auth/token/login/", "/api/v2/project/", "/admin/v2/profile/"} <= paths.keys()
    redirect = httpx.get(f"{embedded.url}/auth/users")
    assert (redirect.status_code, redirect.headers["location"]) == (307, f"{embedded.url}/auth/users/")
    admin.close()


@pytest.mark.parametrize("part", PARTS)
def test_a_part_killed_while_fifty_units_run(embedded: Embedded, tmp_path: Path, part: str) -> None:
    api = embedded.login()
    task = api.puppet_task(tmp_path, f"Puppet {part}")
    project, dataset, workflow = api.prepared(tmp_path, task, images=50, sleep=0.1)
    job = api.submit(project, dataset, workflow)
    marks = tmp_path / "marks"
    until(marks.exists, "units run")
    embedded.kill(part)
    assert api.finished(project, job)["status"] == "done"
    assert set(Counter(marks.read_text().split()).values()) == {1}
    assert len(marks.read_text().split()) == 50
    images = api.post(f"/api/v2/project/{project}/dataset/{dataset}/images/query/", None, 200)
    assert images["total_count"] == 50
    api.close()


def follow(api: Api, path: str, last: str | None) -> Iterator[tuple[str, str, str]]:
    """Id, type and data of each event, until the stream ends or breaks."""
    fields: dict[str, str] = {}
    headers = {"Last-Event-ID": last} if last else {}
    with suppress(httpx.TransportError), api.http.stream("GET", path, headers=headers) as answer:
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if line:
                fields[name] = value
            elif "data" in fields:
                yield fields["id"], fields["event"], fields["data"]
                fields = {}


def test_events_come_unbuffered_through_the_gateway_and_go_on_after_the_api_died(
    embedded: Embedded, tmp_path: Path
) -> None:
    api = embedded.login()
    task = api.puppet_task(tmp_path, "Followed")
    project, dataset, workflow = api.prepared(tmp_path, task, images=30, sleep=0.4)
    job = api.submit(project, dataset, workflow)
    path = f"/api/v2/project/{project}/job/{job}/events/"
    seen: list[tuple[str, str, str]] = []
    killed = False
    while not (seen and seen[-1][1] == "job" and "done" in seen[-1][2]):
        for event in follow(api, path, seen[-1][0] if seen else None):
            seen.append(event)
            if not killed and event[1] == "units" and '"done": 0' not in event[2]:
                status = api.get(f"/api/v2/project/{project}/job/{job}/")["status"]
                assert status == "submitted", "told while it runs, not when it is over"
                embedded.kill("jobs-api")
                killed = True
        time.sleep(0.1)
    assert killed
    assert [json.loads(data)["status"] for _, kind, data in seen if kind != "units"] == [
        *("submitted", "submitted", "done", "done"),
    ]
    assert len({identity for identity, *_ in seen}) == len(seen)
    api.close()


def test_down_leaves_nothing_and_the_next_start_finds_the_data(embedded: Embedded) -> None:
    api = embedded.login()
    before = api.get("/api/v2/job/")
    api.close()
    down = embedded.command("down")
    assert (down.returncode, down.stdout) == (0, "Stopped.\n"), down.stderr
    until(lambda: not processes_of(embedded.home), "nothing is left running", 5)
    assert embedded.command("status").returncode == 3
    assert embedded.command("up").returncode == 0
    api = embedded.login()
    assert api.get("/api/v2/job/") == before
    api.close()
