"""api §25.3: tasks of everybody, and core tasks."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from tests.api import Api

from .server import Person, Server

_numbers = count(1)
NewTask = Callable[..., int]
CONFLICT = {
    "detail": "This request would generate conflicting core tasks (with the same task name and task-group properties). "
    "Hint: include fewer tasks in the request body and retry."
}


def new_task(person: Person, private: bool = True, **fields: Any) -> int:
    body = {"name": f"task {next(_numbers)}", "version": "1", "command_parallel": "run", **fields}
    return person.api.post("/api/v2/task/", body, private=private)["id"]


def listed(admin: Api, **query: Any) -> list[int]:
    return [item["task"]["id"] for item in admin.call("GET", "/admin/v2/task/", params=query)["items"]]


def test_every_filter_of_the_list(admin: Api, user: Person, other: Person) -> None:
    mine = {"authors": "Ada Lovelace, Grace Hopper", "category": "Conversion", "modality": "HCS"}
    first = new_task(user, name=f"Illumination_{user.id}", **mine)
    second = new_task(user, version="2.0", command_parallel="x", command_non_parallel="y")
    third = new_task(other, private=False, name=f"Illumination {user.id}")
    group = user.api.get(f"/api/v2/task/{first}/")["taskgroupv2_id"]
    for query, expected in (
        ({"id": first}, [first]),
        ({"owner_id": user.id}, [first, second]),
        ({"owner_id": user.id, "version": "2.0"}, [second]),
        ({"owner_id": user.id, "version": "2"}, []),
        ({"name": f"illumination_{user.id}"}, [first, third]),
        ({"owner_id": user.id, "task_type": "compound"}, [second]),
        ({"owner_id": user.id, "category": "conversion"}, [first]),
        ({"owner_id": user.id, "category": "conv"}, []),
        ({"owner_id": user.id, "modality": "hcs"}, [first]),
        ({"owner_id": user.id, "author": "grace"}, [first]),
        ({"owner_id": user.id, "task_group": "ILLUM"}, [first]),
        ({"owner_id": other.id, "private": False}, [third]),
        ({"owner_id": other.id, "private": True}, []),
        ({"owner_id": user.id, "private": True}, [first, second]),
        ({"owner_id": user.id, "core": True}, []),
        ({"owner_id": user.id, "core": False}, [first, second]),
        ({"owner_id": user.id, "resource_id": 98765}, []),
        ({"owner_id": 2**40}, []),
    ):
        assert listed(admin, **query) == expected, query
    user.api.post(f"/api/v2/task-group/{group}/deactivate/", status=202)
    assert listed(admin, owner_id=user.id, active=False) == [first]
    assert listed(admin, owner_id=user.id, active=True) == [second]
    page = admin.get("/admin/v2/task/", owner_id=user.id, page=2, page_size=1)
    assert (page["total_count"], page["items"][0]["task"]["id"]) == (2, second)
    assert admin.call("GET", "/admin/v2/task/?task_type=x", 422)["detail"][0]["type"] == "enum"


def test_a_task_with_all_that_use_it(admin: Api, user: Person, other: Person) -> None:
    task = new_task(user, private=False)
    places = []
    for person in (user, other):
        project = person.api.post("/api/v2/project/", {"name": "uses it"})["id"]
        workflow = person.api.post(f"/api/v2/project/{project}/workflow/", {"name": "flow"})["id"]
        places.append((person, project, workflow))
    for person, project, workflow in (places[0], places[1], places[0]):
        person.api.post(f"/api/v2/project/{project}/workflow/{workflow}/wftask/", [{"task_id": task}])
    (item,) = admin.get("/admin/v2/task/", id=task)["items"]
    read = user.api.get(f"/api/v2/task/{task}/")
    assert item["task"] == {
        **{name: read[name] for name in ("id", "name", "type", "is_core", "taskgroupv2_id")},
        "command_non_parallel": None,
        "command_parallel": "run",
        "version": "1",
        "pkg_name": read["name"],
        "active": True,
        "owner": user.email,
        "user_group": "All",
    }
    uses = [
        {
            "workflow_id": workflow,
            "workflow_name": "flow",
            "project_id": project,
            "project_name": "uses it",
            "project_users": [{"id": person.id, "email": person.email}],
        }
        for person, project, workflow in (places[0], places[1], places[0])
    ]
    assert item["relationships"] == uses


def core(admin: Api, ids: Any, status: int = 200, verb: str = "make-core") -> Any:
    return admin.post(f"/admin/v2/task/{verb}/", ids, status)


def test_tasks_become_core_and_not_core(admin: Api, user: Person) -> None:
    first, second = new_task(user), new_task(user)
    answer = admin.http.post("/admin/v2/task/make-core/", json=[first])
    assert (answer.status_code, answer.content) == (200, b"")
    core(admin, [second, first])
    assert listed(admin, owner_id=user.id, core=True) == [first, second]
    assert user.api.get(f"/api/v2/task/{first}/")["is_core"] is True
    assert {task["id"]: task["is_core"] for task in user.api.get("/api/v2/task/")}[second] is True
    core(admin, [first], verb="make-not-core")
    core(admin, [first], verb="make-not-core")
    assert listed(admin, owner_id=user.id, core=True) == [second]


@pytest.mark.parametrize("verb", ["make-core", "make-not-core"])
def test_lists_of_ids_that_are_refused(admin: Api, user: Person, verb: str) -> None:
    task = new_task(user)
    for body, kind, text in (
        ([], "too_short", "Value should have at least 1 item after validation, not 0"),
        ([task, task], "value_error", "Value error, List has repetitions"),
        ([-1], "greater_than_equal", "Input should be greater than or equal to 0"),
        ({"task_ids": [task]}, "list_type", "Input should be a valid list"),
    ):
        (error,) = core(admin, body, 422, verb)["detail"]
        assert (error["type"], error["msg"]) == (kind, text)
    missing = {"detail": "Not all tasks were found (Missing IDs: [9998765, 9998766])."}
    assert core(admin, [9998766, task, 9998765], 404, verb) == missing
    assert core(admin, [2**40], 404, verb) == {"detail": f"Not all tasks were found (Missing IDs: [{2**40}])."}
    assert user.api.get(f"/api/v2/task/{task}/")["is_core"] is False


def test_one_core_task_in_each_place(admin: Api, user: Person, other: Person) -> None:
    name = f"same {user.id}"
    first, second = new_task(user, name=name), new_task(other, name=name)
    newer = new_task(other, name=name, version="2")
    assert core(admin, [first, second], 422) == CONFLICT
    assert listed(admin, name=name, core=True) == []
    core(admin, [first, newer])
    there = {
        "detail": f"There already exists a core task with pkg_name='{name}', version='1' and name='{name}' "
        f"(task ID: {first})."
    }
    assert core(admin, [second], 422) == there
    group = other.api.get(f"/api/v2/task/{second}/")["taskgroupv2_id"]
    assert admin.post(f"/admin/v2/task-group/{group}/make-core/", status=422) == there
    core(admin, [first], verb="make-not-core")
    admin.post(f"/admin/v2/task-group/{group}/make-core/", status=200)
    assert listed(admin, name=name, core=True) == [second, newer]
    admin.post(f"/admin/v2/task-group/{group}/make-not-core/", status=200)
    assert listed(admin, name=name, core=True) == [newer]
    for verb in ("make-core", "make-not-core"):
        answer = admin.post(f"/admin/v2/task-group/98765/{verb}/", status=404)
        assert answer == {"detail": "TaskGroupV2 98765 not found"}


def test_of_many_who_choose_at_once_one_wins(server: Server, admin: Api) -> None:
    name = f"contested {next(_numbers)}"
    ids = [new_task(server.person(), name=name) for _ in range(6)]

    def choose(task: int) -> int:
        return admin.http.post("/admin/v2/task/make-core/", json=[task]).status_code

    with ThreadPoolExecutor(len(ids)) as pool:
        answers = list(pool.map(choose, ids))
    assert sorted(answers) == [200, 422, 422, 422, 422, 422]
    assert listed(admin, name=name, core=True) == [ids[answers.index(200)]]
