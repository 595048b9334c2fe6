"""A job followed while it runs: server-sent events, and logs as they are written. Routes of our own."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api import Api

from .server import Person, Server

Event = tuple[str, str, dict[str, Any]]


def read(user: Person, path: str, last: str | None = None) -> Iterator[Event]:
    """Id, type and data of each event."""
    headers = {"Last-Event-ID": last} if last else {}
    with user.api.http.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                yield fields["id"], fields["event"], json.loads(fields["data"])
                fields = {}


@pytest.fixture
def running(server: Server, user: Person) -> tuple[int, int]:
    """Project and job of four units that take a while, in two waves."""
    task = user.api.puppet_task(server.folder, f"puppet {server.new_email()}")
    ids = user.api.prepared(server.folder, task, images=4, sleep=0.4)
    return ids[0], user.api.submit(*ids)


def test_events_tell_a_job_from_its_submission_to_its_end(user: Person, running: tuple[int, int]) -> None:
    project, job = running
    path = f"/api/v2/project/{project}/job/{job}/events/"
    events = list(read(user, path))
    kinds = [kind for _, kind, _ in events]
    assert (kinds[0], kinds[-1]) == ("job", "job")
    statuses = [data["status"] for _, kind, data in events if kind != "units"]
    assert statuses == ["submitted", "submitted", "done", "done"]
    counts = [(data["done"], data["failed"], data["submitted"]) for _, kind, data in events if kind == "units"]
    assert counts[-1] == (4, 0, 0)
    assert counts == sorted(counts)
    assert all(data["time"].endswith("+00:00") for _, _, data in events)

    # Wherever a client was cut off, it goes on with the next one; of counts it is told the newest.
    for cut in range(len(events) - 1):
        rest = list(read(user, path, events[cut][0]))
        expected = [event for event in events[cut + 1 :] if event[1] != "units"]
        assert [event for event in rest if event[1] != "units"] == expected
        if any(kind == "units" for kind in kinds[cut + 1 :]):
            (told,) = [data for _, kind, data in rest if kind == "units"]
            assert (told["done"], told["failed"], told["submitted"]) == (4, 0, 0)
    assert user.api.http.get(path, headers={"Last-Event-ID": events[-1][0]}).status_code == 204
    assert user.api.http.get(path, headers={"Last-Event-ID": "x"}).json() == {
        "detail": "Last-Event-ID: 'x' is not an id of this stream."
    }


def test_events_come_while_the_job_runs(user: Person, running: tuple[int, int]) -> None:
    project, job = running
    arrived = {data["status"]: time.monotonic() for _, kind, data in read(
        user, f"/api/v2/project/{project}/job/{job}/events/") if kind == "job"}  # fmt: skip
    assert arrived["done"] - arrived["submitted"] > 0.3
    assert time.monotonic() - arrived["done"] < 1


def test_an_end_is_told_to_those_who_wait(user: Person, running: tuple[int, int]) -> None:
    project, job = running
    ends: list[float] = []

    def wait() -> None:
        for _ in read(user, f"/api/v2/project/{project}/job/{job}/events/"):
            pass
        ends.append(time.monotonic())

    followers = [threading.Thread(target=wait) for _ in range(8)]
    for follower in followers:
        follower.start()
    user.api.finished(project, job)
    end = time.monotonic()
    for follower in followers:
        follower.join(10)
    assert len(ends) == 8
    assert max(ends) - end < 1


def test_the_log_of_the_job_is_followed(user: Person, running: tuple[int, int]) -> None:
    project, job = running
    path = f"/api/v2/project/{project}/job/{job}/log/"
    with user.api.http.stream("GET", path, params={"follow": "true"}) as answer:
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        text = "".join(answer.iter_text())
    assert text == user.api.get(f"/api/v2/project/{project}/job/{job}/")["log"]
    assert user.api.http.get(path).text == text


def test_the_log_of_a_unit_is_followed(server: Server, user: Person) -> None:
    script = server.folder / "talker.py"
    script.write_text("import time\nfor n in range(5):\n    print('line', n, flush=True)\n    time.sleep(0.4)\n")
    body = {"name": f"talker {server.new_email()}", "version": "1", "command_parallel": f"python3 {script}"}
    task = user.api.post("/api/v2/task/", body)["id"]
    project, dataset, workflow = user.api.prepared(server.folder, task, images=1)
    job = user.api.submit(project, dataset, workflow)
    (wftask,) = user.api.get(f"/api/v2/project/{project}/workflow/{workflow}/")["task_list"]
    which = {"dataset_id": dataset, "workflowtask_id": wftask["id"]}
    runs: list[dict[str, Any]] = []
    while not runs:
        runs = user.api.get(f"/api/v2/project/{project}/status/run/", **which)
    unit = user.api.get(f"/api/v2/project/{project}/status/run/{runs[0]['id']}/units/", **which)["items"][0]["id"]
    path = f"/api/v2/project/{project}/job/{job}/log/"
    times: list[float] = []
    text = ""
    with user.api.http.stream("GET", path, params={"follow": "true", "history_unit_id": unit}) as answer:
        for part in answer.iter_text():
            text += part
            times.append(time.monotonic())
    assert text == "".join(f"line {n}\n" for n in range(5))
    assert times[-1] - times[0] > 1
    assert user.api.http.get(path, params={"history_unit_id": unit}).text == text
    assert user.api.get(path, 404, history_unit_id=98765) == {"detail": f"HistoryUnit 98765 not found in job {job}"}


def test_strangers_do_not_follow(user: Person, other: Person, anonymous: Api, running: tuple[int, int]) -> None:
    project, job = running
    for part in ("events", "log"):
        other.api.get(f"/api/v2/project/{project}/job/{job}/{part}/", 403)
        user.api.get(f"/api/v2/project/{project}/job/98765/{part}/", 404)
        anonymous.get(f"/api/v2/project/{project}/job/{job}/{part}/", 401)
