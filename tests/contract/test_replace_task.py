"""api §21: newer versions of a workflow's tasks, and replacing one by another."""

from typing import Any

import pytest

from .server import Person, Server

COMMAND = "python3 /task.py"
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


@pytest.fixture
def package(server: Server) -> str:
    return f"package {server.new_email()}"


@pytest.fixture
def workflow(user: Person) -> str:
    project = user.api.post("/api/v2/project/", {"name": "p"})["id"]
    workflow_id = user.api.post(f"/api/v2/project/{project}/workflow/", {"name": "w"})["id"]
    return f"/api/v2/project/{project}/workflow/{workflow_id}/"


def parallel(
    person: Person, name: str, version: str, *, private: bool = False, status: int = 201, **fields: Any
) -> dict[str, Any]:
    body = {"name": name, "version": version, "command_parallel": COMMAND, "args_schema_parallel": SCHEMA} | fields
    body = {key: value for key, value in body.items() if value is not None}
    return person.api.post("/api/v2/task/", body, status, private=private)


def typed(person: Person, name: str, version: str, kind: str) -> dict[str, Any]:
    commands = {"command_non_parallel": COMMAND}
    if kind.endswith("compound"):
        commands["command_parallel"] = COMMAND
    body = {"name": name, "version": version, "type": kind, "args_schema_non_parallel": SCHEMA, **commands}
    return person.api.post("/api/v2/task/", body)


def add(person: Person, workflow: str, task: int, **fields: Any) -> dict[str, Any]:
    return person.api.post(f"{workflow}wftask/", [{"task_id": task, **fields}])[0]


def candidates(person: Person, workflow: str) -> Any:
    return person.api.get(f"{workflow}version-update-candidates/")


def replace(
    person: Person, workflow: str, workflow_task: int, task: int, body: Any = None, status: int = 201
) -> dict[str, Any]:
    query = {"workflow_task_id": workflow_task, "task_id": task}
    return person.api.post(f"{workflow}wftask/replace-task/", {} if body is None else body, status, **query)


def test_newer_versions_oldest_first_for_every_task(user: Person, workflow: str, package: str) -> None:
    versions = ("1.10", "1.9rc1", "1.2", "0.9", "weird", "1.1")
    ids = {version: parallel(user, package, version)["id"] for version in versions}
    other = parallel(user, f"{package} b", "1")["id"]
    add(user, workflow, ids["1.1"])
    add(user, workflow, other)
    add(user, workflow, ids["1.10"])
    add(user, workflow, ids["1.9rc1"])
    newer = [{"task_id": ids[version], "version": version} for version in ("1.2", "1.9rc1", "1.10")]
    assert candidates(user, workflow) == [newer, [], [], newer[2:]]


def test_versions_that_do_not_compare_have_no_candidates(user: Person, workflow: str, package: str) -> None:
    add(user, workflow, parallel(user, package, "weird")["id"])
    parallel(user, package, "2")
    assert candidates(user, workflow) == [[]]


def test_only_tasks_with_argument_schemas_count(user: Person, workflow: str, package: str) -> None:
    without = parallel(user, package, "1", args_schema_parallel=None)["id"]
    empty = parallel(user, package, "2", args_schema_parallel={})["id"]
    full = parallel(user, package, "3")["id"]
    parallel(user, package, "4", args_schema_parallel=None)
    last = parallel(user, package, "5", args_schema_parallel={})["id"]
    for task in (without, empty, full):
        add(user, workflow, task)
    # An empty schema is one to change to, and none to change from.
    assert candidates(user, workflow) == [[], [], [{"task_id": last, "version": "5"}]]


def test_inactive_and_foreign_tasks_are_no_candidates(
    user: Person, other: Person, server: Server, workflow: str, package: str
) -> None:
    add(user, workflow, parallel(user, package, "1")["id"])
    inactive = parallel(user, package, "2")
    user.api.post(f"/api/v2/task-group/{inactive['taskgroupv2_id']}/deactivate/", status=202)
    parallel(other, package, "3", private=True)
    assert candidates(user, workflow) == [[]]
    shared = parallel(other, package, "4")["id"]
    own = parallel(user, package, "4", private=True)["id"]
    # Equal versions of two groups are both listed.
    assert candidates(user, workflow) == [[{"task_id": one, "version": "4"} for one in (shared, own)]]


@pytest.mark.parametrize("old", ["non_parallel", "converter_non_parallel", "compound", "converter_compound"])
def test_types_only_widen_to_converters(user: Person, workflow: str, package: str, old: str) -> None:
    kinds = ("non_parallel", "converter_non_parallel", "compound", "converter_compound")
    current = typed(user, package, "1", old)["id"]
    newer = {kind: typed(user, package, str(version), kind)["id"] for version, kind in enumerate(kinds, 2)}
    newer["parallel"] = parallel(user, package, "6")["id"]
    allowed = {old, old if old.startswith("converter") else f"converter_{old}"}
    workflow_task = add(user, workflow, current)["id"]
    listed = candidates(user, workflow)[0]
    assert {one["task_id"] for one in listed} == {newer[kind] for kind in allowed}
    for kind, task in newer.items():
        if kind not in allowed:
            refused = replace(user, workflow, workflow_task, task, status=422)
            assert refused == {"detail": f"Cannot change task type from {old} to {kind}."}
    assert user.api.get(f"{workflow}wftask/{workflow_task}/")["task_id"] == current
    changed = replace(user, workflow, workflow_task, newer[max(allowed, key=len)])
    assert changed["task_type"] == changed["task"]["type"] == max(allowed, key=len)


def test_a_replaced_task_keeps_its_place_and_the_users_changes(user: Person, workflow: str, package: str) -> None:
    old_meta = {"cpus_per_task": 1, "mem": 1000, "time": 5}
    old = parallel(user, package, "1", meta_parallel=old_meta)["id"]
    new_meta = {"cpus_per_task": 4, "mem": 4000, "time": 9, "gpus": 1}
    new = parallel(user, package, "2", meta_parallel=new_meta)["id"]
    add(user, workflow, old)
    fields = {"args_parallel": {"a": 1}, "alias": "A", "description": "D", "type_filters": {"t": True}}
    before = add(user, workflow, old, **fields)
    path = f"{workflow}wftask/{before['id']}/"
    user.api.patch(path, {"meta_parallel": {"mem": 2000, "cpus_per_task": 1, "mine": True}})
    answer = replace(user, workflow, before["id"], new)
    assert answer["meta_parallel"] == {"mem": 2000, "cpus_per_task": 4, "mine": True, "gpus": 1}
    kept = ("id", "workflow_id", "order", "alias", "description", "type_filters", "args_parallel", "args_non_parallel")
    assert [answer[name] for name in kept] == [before[name] for name in kept]
    assert (answer["task_id"], answer["task"]["version"]) == (new, "2")
    assert user.api.get(path) == answer
    assert [one["task_id"] for one in user.api.get(workflow)["task_list"]] == [old, new]
    # A downgrade is a replacement like any other.
    assert replace(user, workflow, before["id"], old)["task_id"] == old


def test_meta_that_was_null_is_the_new_tasks(user: Person, workflow: str, package: str) -> None:
    old = parallel(user, package, "1")["id"]
    workflow_task = add(user, workflow, old)
    assert (workflow_task["meta_parallel"], workflow_task["meta_non_parallel"]) == (None, None)
    changed = replace(user, workflow, workflow_task["id"], parallel(user, package, "2")["id"])
    assert (changed["meta_parallel"], changed["meta_non_parallel"]) == ({}, {})
    user.api.patch(f"{workflow}wftask/{workflow_task['id']}/", {"meta_parallel": None})
    third = parallel(user, package, "3", meta_parallel={"mem": 1})["id"]
    assert replace(user, workflow, workflow_task["id"], third)["meta_parallel"] == {"mem": 1}


def test_arguments_are_replaced_if_given(user: Person, workflow: str, package: str) -> None:
    old, new = (parallel(user, package, version)["id"] for version in ("1", "2"))
    workflow_task = add(user, workflow, old, args_parallel={"a": 1})["id"]
    assert replace(user, workflow, workflow_task, new, {"args_parallel": None, "x": 1})["args_parallel"] == {"a": 1}
    given = {"args_parallel": {" b ": 2}}
    assert replace(user, workflow, workflow_task, new, given)["args_parallel"] == {" b ": 2}
    assert replace(user, workflow, workflow_task, new, {"args_parallel": {}})["args_parallel"] == {}
    refused = replace(user, workflow, workflow_task, new, {"args_non_parallel": {}}, 422)
    assert refused == {"detail": "Cannot set 'args_non_parallel' for parallel task."}
    single = [typed(user, f"{package} n", version, "non_parallel")["id"] for version in ("1", "2")]
    workflow_task = add(user, workflow, single[0])["id"]
    refused = replace(user, workflow, workflow_task, single[1], {"args_parallel": {}}, 422)
    assert refused == {"detail": "Cannot set 'args_parallel' for non-parallel task."}
    converter = typed(user, f"{package} n", "3", "converter_non_parallel")["id"]
    assert replace(user, workflow, workflow_task, converter, {"args_parallel": {"a": 1}})["args_parallel"] == {"a": 1}


def test_filters_must_fit_the_new_task(user: Person, workflow: str, package: str) -> None:
    old = parallel(user, package, "1")["id"]
    new = parallel(user, package, "2", input_types={"a": True})["id"]
    workflow_task = add(user, workflow, old, type_filters={"a": False})["id"]
    refused = replace(user, workflow, workflow_task, new, status=422)["detail"]
    assert refused.startswith("Incompatible type filters.\nOriginal error: Cannot merge type filters `{'a': True}`")
    assert user.api.get(f"{workflow}wftask/{workflow_task}/")["task_id"] == old


def test_who_and_what_may_not(user: Person, other: Person, workflow: str, package: str) -> None:
    old, inactive = parallel(user, package, "1"), parallel(user, package, "2")
    private = parallel(other, package, "3", private=True)
    workflow_task = add(user, workflow, old["id"])["id"]
    assert replace(other, workflow, workflow_task, old["id"], status=403)
    assert replace(user, workflow, 98765, 98765, status=404) == {"detail": "WorkflowTask not found"}
    assert replace(user, workflow, workflow_task, 98765, status=404) == {"detail": "TaskV2 98765 not found"}
    assert replace(user, workflow, workflow_task, 2**40, status=404) == {"detail": f"TaskV2 {2**40} not found"}
    assert replace(user, workflow, workflow_task, private["id"], status=403) == {
        "detail": f"Current user has no read access to TaskGroupV2 {private['taskgroupv2_id']}."
    }
    user.api.post(f"/api/v2/task-group/{inactive['taskgroupv2_id']}/deactivate/", status=202)
    assert replace(user, workflow, workflow_task, inactive["id"], status=422) == {
        "detail": f"Error: task {inactive['id']} ({package}) is not active."
    }
    answer = user.api.http.post(
        f"{workflow}wftask/replace-task/", params={"workflow_task_id": workflow_task, "task_id": old["id"]}
    )
    assert (answer.status_code, answer.json()["detail"][0]["type"]) == (422, "missing")
    refused = replace(user, workflow, workflow_task, old["id"], {"args_parallel": [1]}, 422)["detail"][0]
    assert refused["type"] == "dict_type"
    assert user.api.get(f"{workflow}wftask/replace-task/", 422)["detail"][0]["type"] == "int_parsing"
