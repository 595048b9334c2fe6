"""api §11, §14, §17, §18: tasks, task groups, workflows and their tasks."""

from typing import Any

import pytest

from .server import Person, Server

COMMAND = "python3 /task.py"


def task(person: Person, name: str, status: int = 201, **fields: Any) -> Any:
    body = {"name": name, "version": "1", "command_parallel": COMMAND} | fields
    body = {key: value for key, value in body.items() if value is not None}
    return person.api.post("/api/v2/task/", body, status)


@pytest.fixture
def workflow(user: Person) -> str:
    project = user.api.post("/api/v2/project/", {"name": "p"})["id"]
    workflow_id = user.api.post(f"/api/v2/project/{project}/workflow/", {"name": "w"})["id"]
    return f"/api/v2/project/{project}/workflow/{workflow_id}/"


def add(person: Person, workflow: str, *items: dict[str, Any], status: int = 201, **params: Any) -> Any:
    return person.api.post(f"{workflow}wftask/", list(items), status, **params)


def test_the_type_of_a_task_follows_from_its_commands(user: Person, server: Server) -> None:
    unique = server.new_email()
    assert task(user, f"p {unique}")["type"] == "parallel"
    only = {"command_parallel": None, "command_non_parallel": COMMAND}
    assert task(user, f"n {unique}", **only)["type"] == "non_parallel"
    assert task(user, f"c {unique}", command_non_parallel=COMMAND)["type"] == "compound"
    converter = task(user, f"k {unique}", **only, type="converter_non_parallel")
    assert (converter["type"], converter["meta_parallel"], converter["tags"]) == ("converter_non_parallel", {}, [])
    (item,) = task(user, f"x {unique}", 422, command_parallel=None)["detail"]
    assert "Task must have at least one valid command (parallel and/or non_parallel)" in item["msg"]
    (item,) = task(user, f"x {unique}", 422, command_parallel="a; b")["detail"]
    assert item["msg"].endswith("Provided command: 'a; b'.")
    assert task(user, f"x {unique}", 422, meta_non_parallel={"cpus": 1}) == {
        "detail": "Cannot set `TaskV2.args_schema_non_parallel` or `TaskV2.args_schema_non_parallel` "
        "if TaskV2 is parallel"
    }


def test_a_task_is_owned_once_by_a_user_and_once_by_a_group(user: Person, other: Person, server: Server) -> None:
    name = f"task {server.new_email()}"
    created = task(user, name)
    assert task(user, name, 422) == {
        "detail": f"User '{user.email}' already owns a task group with name='{name}' and version='1'."
    }
    assert task(other, name, 422) == {
        "detail": f"UserGroup All already owns a task group with pkg_name='{name}' and version='1'."
    }
    both = other.api.post("/api/v2/task/", {"name": name, "version": "1", "command_parallel": COMMAND}, 422,
                          private=True, user_group_id=1)  # fmt: skip
    assert both == {"detail": "Cannot set both user_group_id=1 and private=True"}
    private = other.api.post("/api/v2/task/", {"name": name, "version": "1", "command_parallel": COMMAND}, private=True)
    assert user.api.get(f"/api/v2/task/{private['id']}/", 403) == {
        "detail": f"Current user has no read access to TaskGroupV2 {private['taskgroupv2_id']}."
    }
    assert other.api.get(f"/api/v2/task/{created['id']}/")["name"] == name
    listed = {item["id"] for item in user.api.get("/api/v2/task/")}
    assert (created["id"] in listed, private["id"] in listed) == (True, False)
    assert other.api.patch(f"/api/v2/task/{created['id']}/", {"tags": ["x"]}, 403) == {
        "detail": [f"Current user has no full access to TaskGroupV2 {created['taskgroupv2_id']}."]
    }
    refused = "Cannot delete single tasks, please operate directly on task groups."
    assert user.api.delete("/api/v2/task/98765/", 405) == {"detail": refused}


def test_a_task_group_of_origin_other_is_switched_at_once(user: Person, other: Person, server: Server) -> None:
    created = task(user, f"task {server.new_email()}")
    group = f"/api/v2/task-group/{created['taskgroupv2_id']}/"
    read = user.api.get(group)
    assert (read["active"], read["in_use"], read["origin"], read["user_email"]) == (True, False, "other", user.email)
    activity = user.api.post(f"{group}deactivate/", status=202)
    assert (activity["status"], activity["action"]) == ("OK", "deactivate")
    assert activity["log"] == ("Task group has task_group.origin='other', set task_group.active to False and exit.")
    assert user.api.get(group)["active"] is False
    assert user.api.post(f"{group}deactivate/", status=422) == {
        "detail": "Cannot deactivate a task group with task_group.active=False."
    }
    activity = user.api.post(f"{group}reactivate/", status=202)
    assert user.api.get(f"/api/v2/task-group/activity/{activity['id']}/") == activity
    assert other.api.get(f"/api/v2/task-group/activity/{activity['id']}/", 403) == {
        "detail": [f"You are not the owner of TaskGroupActivityV2 {activity['id']}"]
    }
    assert user.api.get("/api/v2/task-group/activity/98765/", 404) == {"detail": "TaskGroupActivityV2 98765 not found"}


def test_workflow_names_are_unique_in_their_project(user: Person, workflow: str) -> None:
    workflows = workflow.rsplit("/", 2)[0] + "/"
    project = workflow.split("/")[4]
    taken = {"detail": f"Workflow with name='w' and project_id={project} already exists."}
    assert user.api.post(workflows, {"name": " w "}, 422) == taken
    second = user.api.post(workflows, {"name": "a/b ü", "description": "d"})
    assert "warning" not in second
    assert user.api.patch(f"{workflows}{second['id']}/", {"name": "w"}, 422) == taken
    assert [one["name"] for one in user.api.get(workflows)] == ["a/b ü", "w"]
    user.api.post(f"{workflow}star/", status=200)
    assert [one["name"] for one in user.api.get(workflows)] == ["w", "a/b ü"]
    user.api.delete(workflow)
    assert user.api.get(workflow, 404) == {"detail": "Workflow not found"}


def test_several_tasks_are_added_or_none(user: Person, workflow: str, server: Server) -> None:
    meta = {"meta_parallel": {"cpus_per_task": 1, "mem": 2}}
    first, second = (task(user, f"{number} {server.new_email()}", **meta)["id"] for number in range(2))
    assert add(user, workflow, {"task_id": first}, {"task_id": 98765}, status=404) == {
        "detail": "TaskV2 98765 not found"
    }
    assert user.api.get(workflow)["task_list"] == []
    added = add(user, workflow, {"task_id": first, "meta_parallel": {"mem": 3}, "alias": "A"}, {"task_id": second})
    assert [(item["order"], item["task_id"], item["task_type"]) for item in added] == [
        (0, first, "parallel"),
        (1, second, "parallel"),
    ]
    assert (added[0]["meta_parallel"], added[0]["alias"], added[0]["args_parallel"]) == (
        {"cpus_per_task": 1, "mem": 3},
        "A",
        None,
    )
    add(user, workflow, {"task_id": second}, order=0)
    tasks = user.api.get(workflow)["task_list"]
    assert [(item["order"], item["task_id"]) for item in tasks] == [(0, second), (1, first), (2, second)]
    assert add(user, workflow, {"task_id": first, "args_non_parallel": {}}, status=422) == {
        "detail": "Cannot set `WorkflowTaskV2.meta_non_parallel` or `WorkflowTask.args_non_parallel` "
        "if the associated Task is `parallel`."
    }
    (item,) = add(user, workflow, {"task_id": first, "args_parallel": {"zarr_url": 1}}, status=422)["detail"]
    assert "`args` contains the following forbidden keys: {'zarr_url'}" in item["msg"]
    assert user.api.post(f"{workflow}wftask/", {"task_id": first}, 422)["detail"][0]["type"] == "list_type"
    assert add(user, workflow) == []


def test_given_fields_replace_the_stored_ones(user: Person, workflow: str, server: Server) -> None:
    (added,) = add(user, workflow, {"task_id": task(user, server.new_email())["id"], "args_parallel": {"a": 1}})
    path = f"{workflow}wftask/{added['id']}/"
    assert user.api.patch(path, {"args_parallel": {"b": 2}})["args_parallel"] == {"b": 2}
    assert user.api.patch(path, {"args_parallel": {}})["args_parallel"] is None
    assert user.api.patch(path, {"meta_parallel": {}})["meta_parallel"] == {}
    assert user.api.patch(path, {"order": 2}, 422)["detail"][0]["type"] == "extra_forbidden"
    assert user.api.patch(path, {"args_non_parallel": {"a": 1}}, 422)["detail"] == (
        "Cannot patch `WorkflowTaskV2.args_non_parallel` or `WorkflowTask.meta_non_parallel` "
        "if the associated Task is parallel."
    )
    user.api.delete(path)
    assert user.api.get(path, 404) == {"detail": "WorkflowTask not found"}


def test_tasks_are_reordered_by_a_permutation(user: Person, workflow: str, server: Server) -> None:
    one = task(user, server.new_email())["id"]
    ids = [item["id"] for item in add(user, workflow, *[{"task_id": one}] * 3)]
    wrong = user.api.patch(workflow, {"reordered_workflowtask_ids": ids[:2]}, 422)
    assert wrong["detail"] == f"`reordered_workflowtask_ids` must be a permutation of {ids} (given {ids[:2]})"
    changed = user.api.patch(workflow, {"reordered_workflowtask_ids": ids[::-1]})
    assert [item["id"] for item in changed["task_list"]] == ids[::-1]
    assert [item["order"] for item in changed["task_list"]] == [0, 1, 2]
    assert add(user, workflow, {"task_id": one, "type_filters": {"a": True}}, status=201)


def test_type_filters_flow_and_conflict(user: Person, workflow: str, server: Server) -> None:
    assert user.api.get(f"{workflow}type-filters-flow/", 422) == {"detail": "Workflow has no tasks."}
    one = task(user, server.new_email(), input_types={"a": True}, output_types={"b": True})["id"]
    answer = add(user, workflow, {"task_id": one, "type_filters": {"a": False}}, status=422)
    assert answer["detail"] == (
        "Incompatible type filters.\nOriginal error: Cannot merge type filters `{'a': True}` (from task) and "
        "`{'a': False}` (from workflowtask)."
    )
    add(user, workflow, {"task_id": one, "type_filters": {"c": False}}, {"task_id": one})
    flow = user.api.get(f"{workflow}type-filters-flow/")
    assert [item["current_type_filters"] for item in flow] == [{}, {"b": True}]
    assert flow[0]["input_type_filters"] == {"a": True, "c": False}
    assert flow[0]["output_type_filters"] == {"b": True}


def test_an_inactive_task_warns_and_cannot_be_added(user: Person, workflow: str, server: Server) -> None:
    created = task(user, server.new_email())
    add(user, workflow, {"task_id": created["id"]})
    user.api.post(f"/api/v2/task-group/{created['taskgroupv2_id']}/deactivate/", status=202)
    answer = add(user, workflow, {"task_id": created["id"]}, status=422)
    assert answer == {"detail": f"Error: task {created['id']} ({created['name']}) is not active."}
    (listed,) = user.api.get(workflow)["task_list"]
    assert listed["warning"] == "Task is not active."
    answer = user.api.post(f"/api/v2/task-group/{created['taskgroupv2_id']}/delete/", status=422)
    assert answer == {"detail": f"TaskV2 {created['id']} is still in use"}
