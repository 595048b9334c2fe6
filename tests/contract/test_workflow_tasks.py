"""api §17, §18 in detail: what bodies of workflows and workflow tasks may hold, and what becomes of it."""

import json
from typing import Any

import pytest

from .server import Person, Server

COMMAND = "python3 /task.py"
MISSING = 98765


@pytest.fixture
def workflow(user: Person) -> str:
    project = user.api.post("/api/v2/project/", {"name": "p"})["id"]
    workflow_id = user.api.post(f"/api/v2/project/{project}/workflow/", {"name": "w"})["id"]
    return f"/api/v2/project/{project}/workflow/{workflow_id}/"


def task(person: Person, server: Server, kind: str = "parallel", **fields: Any) -> int:
    """A new task with the commands of its type."""
    parts = {"parallel": ["parallel"], "compound": ["parallel", "non_parallel"]}.get(kind, ["non_parallel"])
    body = {f"command_{part}": COMMAND for part in parts}
    name = f"task {server.new_email()}"
    return person.api.post("/api/v2/task/", body | {"name": name, "version": "1", "type": kind} | fields)["id"]


def add(person: Person, workflow: str, *items: dict[str, Any], status: int = 201, **params: Any) -> Any:
    return person.api.post(f"{workflow}wftask/", list(items), status, **params)


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        ({"type_filters": None}, "dict_type", "Input should be a valid dictionary"),
        (
            {"type_filters": {"a": "maybe"}},
            "bool_parsing",
            "Input should be a valid boolean, unable to interpret input",
        ),
        ({"type_filters": {" ": True}}, "value_error", "Value error, Empty string in ['']."),
        (
            {"meta_parallel": {"a": 1, " a ": 2}},
            "value_error",
            "Value error, Dictionary contains multiple identical keys: '{'a': 1, ' a ': 2}'.",
        ),
        ({"args_parallel": [1]}, "dict_type", "Input should be a valid dictionary"),
        ({"alias": " "}, "string_too_short", "String should have at least 1 character"),
        ({"description": ""}, "string_too_short", "String should have at least 1 character"),
        ({"order": 1}, "extra_forbidden", "Extra inputs are not permitted"),
    ],
)
def test_bad_fields_are_refused_on_creation_and_change(
    user: Person, server: Server, workflow: str, fields: dict[str, Any], kind: str, message: str
) -> None:
    task_id = task(user, server)
    (created,) = add(user, workflow, {"task_id": task_id})
    path = f"{workflow}wftask/{created['id']}/"
    for error in (
        add(user, workflow, {"task_id": task_id} | fields, status=422)["detail"][0],
        user.api.patch(path, fields, 422)["detail"][0],
    ):
        assert (error["type"], error["msg"]) == (kind, message)
    assert user.api.get(path) == created


def test_keys_are_stripped_and_booleans_are_read_leniently(user: Person, server: Server, workflow: str) -> None:
    item = {
        "task_id": str(task(user, server)),
        "type_filters": {" a ": "yes", "b": 0},
        "meta_parallel": {" m ": {" kept ": None}},
        "args_parallel": {" x ": [1, 2.5, None, {"y": True}]},
        "alias": " A ",
        "description": " D ",
    }
    (created,) = add(user, workflow, item)
    assert created["type_filters"] == {"a": True, "b": False}
    assert created["meta_parallel"] == {"m": {" kept ": None}}
    assert created["args_parallel"] == {"x": [1, 2.5, None, {"y": True}]}
    assert (created["alias"], created["description"]) == ("A", "D")
    cleared = user.api.patch(f"{workflow}wftask/{created['id']}/", {"alias": None, "description": None})
    assert (cleared["alias"], cleared["description"]) == (None, None)
    assert user.api.patch(f"{workflow}wftask/{created['id']}/", {}) == cleared


def test_which_parts_a_type_has(user: Person, server: Server, workflow: str) -> None:
    no_parallel = {
        "detail": "Cannot set `WorkflowTaskV2.meta_parallel` or `WorkflowTask.args_parallel` "
        "if the associated Task is `non_parallel`."
    }
    single = task(user, server, "non_parallel")
    for fields in ({"args_parallel": {}}, {"meta_parallel": {"a": 1}}):
        assert add(user, workflow, {"task_id": single, **fields}, status=422) == no_parallel
    assert add(user, workflow, {"task_id": single, "args_parallel": None})[0]["args_parallel"] is None
    # A converter may be given them, and may not be changed to have them.
    converter = task(user, server, "converter_non_parallel")
    (created,) = add(user, workflow, {"task_id": converter, "args_parallel": {"a": 1}, "meta_parallel": {}})
    assert (created["args_parallel"], created["meta_parallel"]) == ({"a": 1}, None)
    assert user.api.patch(f"{workflow}wftask/{created['id']}/", {"args_parallel": {"a": 1}}, 422) == {
        "detail": "Cannot patch `WorkflowTaskV2.args_parallel` or `WorkflowTask.meta_parallel` "
        "if the associated Task is non parallel."
    }
    compound = task(user, server, "compound", meta_non_parallel={"cpus": 1})
    both = {"args_parallel": {}, "args_non_parallel": {}, "meta_parallel": {}, "meta_non_parallel": {"mem": 2}}
    (created,) = add(user, workflow, {"task_id": compound, **both})
    assert created["meta_non_parallel"] == {"cpus": 1, "mem": 2}
    changed = user.api.patch(f"{workflow}wftask/{created['id']}/", both)
    assert [changed[name] for name in both] == [None, None, {}, {"mem": 2}]
    assert user.api.patch(f"{workflow}wftask/{created['id']}/", {"meta_parallel": None})["meta_parallel"] is None


def test_a_place_beyond_the_end_is_the_end(user: Person, server: Server, workflow: str) -> None:
    task_id = task(user, server)
    (first,) = add(user, workflow, {"task_id": task_id}, order=1000)
    (second,) = add(user, workflow, {"task_id": task_id}, order=1)
    (between,) = add(user, workflow, {"task_id": task_id}, order=1)
    assert (first["order"], second["order"], between["order"]) == (0, 1, 1)
    expected = [first["id"], between["id"], second["id"]]
    assert [one["id"] for one in user.api.get(workflow)["task_list"]] == expected
    (error,) = add(user, workflow, {"task_id": task_id}, status=422, order=-1)["detail"]
    assert (error["type"], error["loc"]) == ("greater_than_equal", ["query", "order"])
    user.api.delete(f"{workflow}wftask/{between['id']}/")
    assert [(one["id"], one["order"]) for one in user.api.get(workflow)["task_list"]] == [
        (first["id"], 0),
        (second["id"], 1),
    ]


def test_the_first_bad_item_is_told(user: Person, server: Server, workflow: str) -> None:
    parallel = {"task_id": task(user, server), "args_non_parallel": {}}
    unknown = {"task_id": MISSING}
    assert "`parallel`" in add(user, workflow, parallel, unknown, status=422)["detail"]
    assert add(user, workflow, unknown, parallel, status=404) == {"detail": f"TaskV2 {MISSING} not found"}
    assert add(user, workflow, {"task_id": 2**40}, status=404) == {"detail": f"TaskV2 {2**40} not found"}
    assert user.api.get(workflow)["task_list"] == []


def test_a_task_of_another_workflow_is_not_found(user: Person, server: Server, workflow: str) -> None:
    (created,) = add(user, workflow, {"task_id": task(user, server)})
    workflows = workflow.rsplit("/", 2)[0]
    second = user.api.post(f"{workflows}/", {"name": "second"})["id"]
    not_found = {"detail": "WorkflowTask not found"}
    assert user.api.get(f"{workflows}/{second}/wftask/{created['id']}/", 404) == not_found
    assert user.api.delete(f"{workflows}/{second}/wftask/{created['id']}/", 404) == not_found
    assert user.api.get(f"{workflows}/{MISSING}/wftask/{created['id']}/", 404) == {"detail": "Workflow not found"}
    other_project = user.api.post("/api/v2/project/", {"name": "q"})["id"]
    elsewhere = f"/api/v2/project/{other_project}/workflow/{workflow.split('/')[-2]}/"
    assert user.api.get(elsewhere, 404) == {"detail": "Workflow not found"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"name": None}, "string_type"),
        ({"name": " "}, "string_too_short"),
        ({"description": ""}, "string_too_short"),
        ({"template_id": 1}, "extra_forbidden"),
        ({"is_starred": True}, "extra_forbidden"),
        ({"reordered_workflowtask_ids": [1, 1]}, "value_error"),
        ({"reordered_workflowtask_ids": [-1]}, "greater_than_equal"),
        ({"reordered_workflowtask_ids": "x"}, "list_type"),
    ],
)
def test_bad_changes_of_a_workflow_are_refused(user: Person, workflow: str, body: dict[str, Any], kind: str) -> None:
    assert user.api.patch(workflow, body, 422)["detail"][0]["type"] == kind


def test_an_order_of_null_is_no_order(user: Person, server: Server, workflow: str) -> None:
    (created,) = add(user, workflow, {"task_id": task(user, server)})
    assert user.api.patch(workflow, {"reordered_workflowtask_ids": None, "name": "new"}, 422) == {
        "detail": f"`reordered_workflowtask_ids` must be a permutation of [{created['id']}] (given None)"
    }
    assert user.api.get(workflow)["name"] == "w"
    changed = user.api.patch(workflow, {"name": "new", "description": " d "})
    assert (changed["name"], changed["description"], changed["task_list"][0]["warning"]) == ("new", "d", None)
    assert user.api.patch(workflow, {"description": None})["description"] is None


def test_filters_that_became_contradictory_are_told(user: Person, server: Server, workflow: str) -> None:
    task_id = task(user, server)
    add(user, workflow, {"task_id": task_id, "type_filters": {"a": False}})
    user.api.patch(f"/api/v2/task/{task_id}/", {"input_types": {"a": True}})
    assert user.api.get(f"{workflow}type-filters-flow/", 422)["detail"].startswith("Incompatible type filters.")
    assert user.api.get(workflow)["task_list"][0]["type_filters"] == {"a": False}


def test_members_who_may_not_see_a_task_are_warned(user: Person, other: Person, server: Server, workflow: str) -> None:
    name = f"task {server.new_email()}"
    body = {"name": name, "version": "1", "command_parallel": COMMAND}
    private = user.api.post("/api/v2/task/", body, private=True)
    add(user, workflow, {"task_id": private["id"]})
    project = "/".join(workflow.split("/")[:5]) + "/"
    user.api.post(f"{project}guest/", {"permissions": "rw"}, email=other.email)
    other.api.post(f"{project}access/accept/", status=200)
    (listed,) = other.api.get(workflow)["task_list"]
    assert (listed["warning"], listed["task"]["name"]) == ("Current user has no access to this task.", name)
    assert other.api.patch(workflow, {})["task_list"][0]["warning"] == listed["warning"]
    assert "warning" not in other.api.get(f"{project}workflow/")[0]["task_list"][0]
    assert user.api.get(workflow)["task_list"][0]["warning"] is None
    # What is in the workflow may be changed; what is not cannot be added.
    assert other.api.patch(f"{workflow}wftask/{listed['id']}/", {"alias": "mine"})["alias"] == "mine"
    assert add(other, workflow, {"task_id": private["id"]}, status=403) == {
        "detail": f"Current user has no read access to TaskGroupV2 {private['taskgroupv2_id']}."
    }


def test_starring_is_for_writers_and_idempotent(user: Person, other: Person, workflow: str) -> None:
    other.api.post(f"{workflow}star/", status=403)
    for _ in range(2):
        answer = user.api.http.post(f"{workflow}star/")
        assert (answer.status_code, answer.content) == (200, b"")
    assert user.api.get(workflow)["is_starred"] is True
    user.api.post(f"{workflow}unstar/", status=200)
    assert user.api.get(workflow)["is_starred"] is False


def test_objects_have_a_hundred_levels_at_most(user: Person, server: Server, workflow: str) -> None:
    def nested(levels: int) -> Any:
        value: Any = 1
        for level in range(levels):
            value = [value] if level % 2 else {"a": value}
        return {"a": value}

    task_id = task(user, server)
    deepest = {"meta_parallel": nested(99), "args_parallel": nested(99)}
    (created,) = add(user, workflow, {"task_id": task_id, **deepest})
    assert (created["meta_parallel"], created["args_parallel"]) == (nested(99), nested(99))
    project = "/".join(workflow.split("/")[:5])
    export = user.api.get(f"{workflow}export/")
    assert user.api.post(f"{project}/workflow/import/", export | {"name": "again"})["task_list"]
    for levels in (100, 300, 700):
        for field in ("meta_parallel", "args_parallel"):
            (error,) = add(user, workflow, {"task_id": task_id, field: nested(levels)}, status=422)["detail"]
            assert (error["loc"], error["msg"]) == (
                ["body", 0, field],
                "Value error, Object has more than 100 levels.",
            )


@pytest.mark.parametrize("value", ["\ud800", float("nan"), float("inf"), ["\udfff"], {"\ud800": 1}])
@pytest.mark.parametrize("field", ["meta_parallel", "args_parallel"])
def test_what_json_cannot_have_is_refused(user: Person, server: Server, workflow: str, field: str, value: Any) -> None:
    # Python's own parser and writer of JSON let it pass, so it could come from a client.
    body = json.dumps([{"task_id": task(user, server), field: {"a": value}}])
    answer = user.api.http.post(f"{workflow}wftask/", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["detail"]
    assert error["loc"] == ["body", 0, field]
    assert error["msg"].startswith("Value error, Object cannot be stored as JSON: ")
    assert user.api.get(workflow)["task_list"] == []
