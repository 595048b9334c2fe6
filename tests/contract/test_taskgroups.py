"""api §14, §15: task groups and activities of users, and what owners do with their groups."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PostgresServer
from tests.processes import until
from tests.wheels import make_wheel

from .server import Person, Server

SLIM = {"id", "name", "version", "is_core", "category", "modality", "authors", "tags", "input_types", "docs_info"}
_numbers = count(1)


def make(person: Person, *, query: dict[str, Any] | None = None, **fields: Any) -> int:
    """A group of one task."""
    body = {"name": f"group {next(_numbers)}", "version": "1", "command_parallel": "run", **fields}
    return person.api.post("/api/v2/task/", body, **(query or {"private": True}))["taskgroupv2_id"]


def shared_with(server: Server, name: str, *members: Person) -> int:
    group = server.admin.post("/auth/group/", {"name": name})["id"]
    for member in members:
        server.admin.post(f"/auth/group/{group}/add-user/{member.id}/", status=200)
    return group


def listed(person: Person, **query: Any) -> dict[str, list[tuple[str, int]]]:
    pairs = person.api.get("/api/v2/task-group/", **query)
    return {name: [(group["version"], group["id"]) for group in groups] for name, groups in pairs}


def test_versions_newest_first_below_each_package(user: Person) -> None:
    ids = {
        version: make(user, name=f"pkg {user.id}", version=version)
        for version in ("1.9.0", "weird", "1.10.0", "2.0.0rc1", "another")
    }
    make(user, name=f"a pkg {user.id}")
    pairs = user.api.get("/api/v2/task-group/", only_owner=True)
    assert [pair[0] for pair in pairs] == [f"a pkg {user.id}", f"pkg {user.id}"]
    order = ["2.0.0rc1", "1.10.0", "1.9.0", "weird", "another"]
    assert [(group["version"], group["id"]) for group in pairs[1][1]] == [(version, ids[version]) for version in order]
    group = pairs[1][1][0]
    assert (group["user_email"], group["in_use"], group["origin"]) == (user.email, False, "other")
    assert group["task_list"][0].keys() == SLIM | {"docs_link"}
    assert "env_info" not in group
    user.api.post(f"/api/v2/task-group/{ids['1.10.0']}/deactivate/", status=202)
    active = listed(user, only_owner=True, only_active=True)[f"pkg {user.id}"]
    assert [version for version, _ in active] == ["2.0.0rc1", "1.9.0", "weird", "another"]


def test_one_group_a_version_own_then_everybodys_then_the_one_shared_longest(
    server: Server, user: Person, other: Person
) -> None:
    third, fourth = server.person(), server.person()
    name = f"preferred {user.id}"
    early = shared_with(server, f"early {user.id}", user, other)
    late = shared_with(server, f"late {user.id}", third)
    server.admin.post(f"/auth/group/{late}/add-user/{user.id}/", status=200)
    second = make(third, name=name, query={"user_group_id": late})
    first = make(other, name=name, query={"user_group_id": early})
    hidden = make(server.person(), name=name)
    assert listed(user)[name] == [("1", first)]
    everybody = make(fourth, name=name, query={"private": False})
    assert listed(user)[name] == [("1", everybody)]
    assert listed(third)[name] == [("1", second)]
    own = make(user, name=name)
    assert listed(user)[name] == [("1", own)]
    assert name not in listed(third, only_owner=True) or listed(third, only_owner=True)[name] == [("1", second)]
    assert hidden not in [group for groups in listed(user).values() for _, group in groups]
    # What is left out by a filter does not count.
    user.api.post(f"/api/v2/task-group/{own}/deactivate/", status=202)
    assert listed(user, only_active=True)[name] == [("1", everybody)]


def test_who_may_read_and_who_may_share(server: Server, user: Person, other: Person) -> None:
    group = make(user)
    path = f"/api/v2/task-group/{group}/"
    assert other.api.get(path, 403) == {"detail": f"Current user has no read access to TaskGroupV2 {group}."}
    full = {"detail": [f"Current user has no full access to TaskGroupV2 {group}."]}
    assert other.api.patch(path, {}, 403) == full
    for action in ("deactivate", "reactivate", "delete"):
        assert other.api.post(f"{path}{action}/", status=403) == full
        answer = other.api.post(f"/api/v2/task-group/98765/{action}/", status=404)
        assert answer == {"detail": "TaskGroupV2 98765 not found"}
    assert other.api.get(f"/api/v2/task-group/{2**40}/", 404) == {"detail": f"TaskGroupV2 {2**40} not found"}

    read = user.api.get(path)
    assert user.api.patch(path, {}) == read
    (error,) = user.api.patch(path, {"active": False}, 422)["detail"]
    assert (error["type"], error["loc"]) == ("extra_forbidden", ["body", "active"])
    lab = shared_with(server, f"lab {user.id}", user, other)
    assert user.api.patch(path, {"user_group_id": lab})["user_group_id"] == lab
    assert other.api.get(path) == {**read, "user_group_id": lab}
    assert user.api.patch(path, {"user_group_id": 98765}, 404) == {"detail": "UserGroup 98765 not found"}
    theirs = shared_with(server, f"theirs {user.id}", other)
    answer = user.api.patch(path, {"user_group_id": theirs}, 403)
    assert answer == {"detail": f"User {user.id} does not belong to UserGroup {theirs}"}
    assert user.api.patch(path, {"user_group_id": None})["user_group_id"] is None
    other.api.get(path, 403)


def test_activities_of_ones_own(user: Person, other: Person) -> None:
    group = make(user)
    name = user.api.get(f"/api/v2/task-group/{group}/")["pkg_name"]
    first = user.api.post(f"/api/v2/task-group/{group}/deactivate/", status=202)
    between = datetime.now(UTC).isoformat()
    second = user.api.post(f"/api/v2/task-group/{group}/reactivate/", status=202)
    path = "/api/v2/task-group/activity/"
    for query, expected in (
        ({}, [first, second]),
        ({"task_group_activity_id": first["id"]}, [first]),
        ({"taskgroupv2_id": group}, [first, second]),
        ({"pkg_name": name.upper()}, [first, second]),
        ({"pkg_name": "no such package"}, []),
        ({"status": "OK"}, [first, second]),
        ({"action": "reactivate"}, [second]),
        ({"timestamp_started_min": between}, [second]),
    ):
        assert user.api.call("GET", path, params=query) == expected
    assert other.api.get(path) == []
    assert user.api.get(f"{path}{first['id']}/") == first
    answer = other.api.get(f"{path}{first['id']}/", 403)
    assert answer == {"detail": [f"You are not the owner of TaskGroupActivityV2 {first['id']}"]}
    assert user.api.get(f"{path}98765/", 404) == {"detail": "TaskGroupActivityV2 98765 not found"}


def test_a_group_without_environment_is_switched_at_once(user: Person) -> None:
    group = make(user)
    path = f"/api/v2/task-group/{group}/"
    active = {"detail": "Cannot reactivate a task group with task_group.active=True."}
    assert user.api.post(f"{path}reactivate/", status=422) == active
    done = user.api.post(f"{path}deactivate/", status=202)
    assert (done["status"], done["action"], done["taskgroupv2_id"]) == ("OK", "deactivate", group)
    assert done["log"] == "Task group has task_group.origin='other', set task_group.active to False and exit."
    assert done["timestamp_ended"] is not None
    assert user.api.get(path)["active"] is False
    inactive = {"detail": "Cannot deactivate a task group with task_group.active=False."}
    assert user.api.post(f"{path}deactivate/", status=422) == inactive
    done = user.api.post(f"{path}reactivate/", status=202)
    assert done["log"] == "Task group has task_group.origin='other', set task_group.active to True and exit."
    assert user.api.get(path)["active"] is True
    pending = user.api.post(f"{path}delete/", status=202)
    assert (pending["status"], pending["action"], pending["taskgroupv2_id"]) == ("pending", "delete", group)
    ended = user.api.ended(pending)
    assert (ended["status"], ended["taskgroupv2_id"]) == ("OK", None)
    user.api.get(path, 404)


def test_a_group_with_environment_is_inactive_at_once_and_active_at_the_end(user: Person, tmp_path: Path) -> None:
    activity = user.api.collect(make_wheel(tmp_path, f"fractal-switched-{user.id}"))
    group = activity["taskgroupv2_id"]
    path = f"/api/v2/task-group/{group}/"
    busy = user.api.post(f"{path}deactivate/", status=422)["detail"]
    head, line = busy.split("\n")
    assert head == "Found ongoing activities for the same task-group:"
    assert line.startswith("1) Action=collect, status=")
    assert user.api.ended(activity)["status"] == "OK"
    pending = user.api.post(f"{path}deactivate/", status=202)
    assert (pending["status"], user.api.get(path)["active"]) == ("pending", False)
    assert user.api.ended(pending)["status"] == "OK"
    pending = user.api.post(f"{path}reactivate/", status=202)
    assert user.api.ended(pending)["status"] == "OK"
    until(lambda: user.api.get(path)["active"], "active at the end")


def test_a_deactivation_that_fails_leaves_the_group_active(user: Person, tmp_path: Path) -> None:
    activity = user.api.collect(make_wheel(tmp_path, f"fractal-kept-{user.id}"))
    path = f"/api/v2/task-group/{activity['taskgroupv2_id']}/"
    user.api.ended(activity)
    venv = Path(user.api.get(path)["venv_path"])
    venv.rename(venv.with_name("elsewhere"))
    failed = user.api.ended(user.api.post(f"{path}deactivate/", status=202))
    assert (failed["status"], user.api.get(path)["active"]) == ("failed", True)
    assert f"{venv} does not exist." in failed["log"]
    venv.with_name("elsewhere").rename(venv)
    assert user.api.ended(user.api.post(f"{path}deactivate/", status=202))["status"] == "OK"


@pytest.mark.parametrize("action", ["deactivate", "reactivate", "delete"])
def test_a_user_without_valid_profile_does_nothing(server: Server, user: Person, action: str) -> None:
    group = make(user)
    server.admin.patch(f"/auth/users/{user.id}/", {"profile_id": None})
    user.api.post(f"/api/v2/task-group/{group}/{action}/", status=403)
    server.admin.patch(f"/auth/users/{user.id}/", {"profile_id": server.profile_id})


def test_a_submission_and_a_deactivation_at_once(postgres_server: PostgresServer, server: Server, user: Person) -> None:
    """The deactivation has looked for jobs, and commits while the submission is under way."""
    folder = server.folder / f"at-once-{user.id}"
    folder.mkdir()
    task = user.api.puppet_task(folder, f"at once {user.id}")
    group = user.api.get(f"/api/v2/task/{task}/")["taskgroupv2_id"]
    project, dataset, workflow = user.api.prepared(folder, task, images=1)
    query = {"workflow_id": workflow, "dataset_id": dataset}
    path = f"/api/v2/project/{project}/job/submit/"
    with postgres_server.connect("contract") as connection, ThreadPoolExecutor(1) as pool:
        with connection.transaction():
            connection.execute("UPDATE jobs.taskgroupv2 SET active = false WHERE id = %s", (group,))
            submission = pool.submit(user.api.http.post, path, json={}, params=query)
            time.sleep(1)
            assert not submission.done()
        answer = submission.result(20)
    text = f"Error: task {task} (at once {user.id}) is not active."
    assert (answer.status_code, answer.json()) == (422, {"detail": text})
    assert user.api.get(f"/api/v2/project/{project}/job/") == []
