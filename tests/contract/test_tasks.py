"""api §11: tasks made by hand, who sees them, what of them can be changed."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from .server import Person, Server

TASK_KEYS = {
    *("id", "name", "type", "version", "is_core", "command_non_parallel", "command_parallel", "meta_parallel"),
    *("meta_non_parallel", "args_schema_non_parallel", "args_schema_parallel", "args_schema_version", "docs_info"),
    *("docs_link", "input_types", "output_types", "taskgroupv2_id", "category", "modality", "authors", "tags"),
}
SLIM_KEYS = {
    *("id", "name", "version", "is_core", "category", "modality", "authors", "tags", "input_types", "docs_info"),
    "docs_link",
}
_numbers = count(1)


def make(person: Person, status: int = 201, *, query: dict[str, Any] | None = None, **fields: Any) -> Any:
    body = {"name": f"by hand {next(_numbers)}", "version": "1", "command_parallel": "run", **fields}
    return person.api.call("POST", "/api/v2/task/", status, json=body, params=query or {"private": True})


def user_group(server: Server, name: str, *members: Person) -> int:
    group = server.admin.post("/auth/group/", {"name": name})["id"]
    for member in members:
        server.admin.post(f"/auth/group/{group}/add-user/{member.id}/", status=200)
    return group


def test_a_task_with_nothing_but_a_name(user: Person) -> None:
    task = make(user, name="  Bare ", version=" 1 ", command_parallel=" run it ")
    assert task.keys() == TASK_KEYS
    assert (task["name"], task["version"], task["command_parallel"], task["type"]) == (
        "Bare",
        "1",
        "run it",
        "parallel",
    )
    assert (task["meta_parallel"], task["meta_non_parallel"], task["tags"]) == ({}, {}, [])
    assert (task["input_types"], task["output_types"], task["is_core"]) == ({}, {}, False)
    for name in ("args_schema_parallel", "args_schema_version", "docs_info", "docs_link", "category", "authors"):
        assert task[name] is None
    group = user.api.get(f"/api/v2/task-group/{task['taskgroupv2_id']}/")
    assert (group["pkg_name"], group["version"], group["origin"]) == ("Bare", "1", "other")
    assert (group["path"], group["venv_path"], group["python_version"]) == (None, None, None)
    assert (group["active"], group["in_use"], group["task_list"]) == (True, False, [task])
    assert (group["pinned_package_versions_pre"], group["pinned_package_versions_post"]) == ({}, {})
    assert user.api.get(f"/api/v2/task/{task['id']}/") == task
    assert user.api.get("/api/v2/task-group/activity/", taskgroupv2_id=group["id"]) == []


def test_a_task_with_everything(user: Person) -> None:
    fields = {
        "command_non_parallel": "init",
        "command_parallel": "run",
        "meta_non_parallel": {"b": 1, "a": {"deep": None}},
        "meta_parallel": {"cpus_per_task": 2},
        "args_schema_non_parallel": {"type": "object", "additionalProperties": False},
        "args_schema_parallel": {"z": 1, "a": 2},
        "args_schema_version": "pydantic_v2",
        "docs_info": "## run\n",
        "docs_link": "https://example.org",
        "input_types": {" 3D ": "yes"},
        "output_types": {"illum": 1},
        "category": "Image Processing",
        "modality": "HCS",
        "authors": "Ada Lovelace",
        "tags": ["a", " b "],
    }
    task = make(user, **fields)
    expected = {**fields, "input_types": {"3D": True}, "output_types": {"illum": True}, "tags": ["a", "b"]}
    assert {name: task[name] for name in fields} == expected
    assert task["type"] == "compound"
    # Key order of meta and schemas is kept, and a link stays as it was sent.
    assert list(task["meta_non_parallel"]) == ["b", "a"]
    assert list(task["args_schema_parallel"]) == ["z", "a"]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"command_parallel": "x"}, "parallel"),
        ({"command_non_parallel": "x"}, "non_parallel"),
        ({"command_non_parallel": "x", "command_parallel": "y"}, "compound"),
        ({"command_parallel": "x", "type": "compound"}, "compound"),
        ({"command_parallel": "x", "type": "converter_compound"}, "converter_compound"),
        ({"command_non_parallel": "x", "type": "converter_non_parallel"}, "converter_non_parallel"),
    ],
)
def test_the_type_is_derived_unless_given(user: Person, fields: dict[str, str], kind: str) -> None:
    body = {"name": f"typed {next(_numbers)}", "version": "1", **fields}
    assert user.api.post("/api/v2/task/", body, private=True)["type"] == kind


@pytest.mark.parametrize(
    ("fields", "loc", "kind", "text"),
    [
        ({"command_parallel": None}, ["command_parallel"], "string_type", None),
        ({"command_parallel": " "}, ["command_parallel"], "string_too_short", None),
        ({"name": ""}, ["name"], "string_too_short", "String should have at least 1 character"),
        ({"version": None}, ["version"], "string_type", None),
        ({"args_schema_version": None}, ["args_schema_version"], "string_type", None),
        ({"docs_link": "nowhere"}, ["docs_link"], "url_parsing", None),
        ({"input_types": None}, ["input_types"], "dict_type", None),
        ({"input_types": {"a": "x"}}, ["input_types", "a"], "bool_parsing", None),
        ({"tags": ["a", "a"]}, ["tags"], "value_error", "Value error, List has repetitions"),
        ({"tags": [""]}, ["tags", 0], "string_too_short", None),
        ({"meta_parallel": {"a": 1, " a": 2}}, ["meta_parallel"], "value_error", None),
        ({"meta_parallel": {" ": 1}}, ["meta_parallel"], "value_error", None),
        ({"type": "x"}, ["type"], "enum", None),
        ({"is_core": True}, ["is_core"], "extra_forbidden", "Extra inputs are not permitted"),
        ({"category": ""}, ["category"], "string_too_short", None),
    ],
)
def test_fields_that_are_refused(
    user: Person, fields: dict[str, Any], loc: list[Any], kind: str, text: str | None
) -> None:
    (error,) = make(user, 422, **fields)["detail"]
    assert (error["loc"], error["type"]) == (["body", *loc], kind)
    assert text in (None, error["msg"])


def test_commands_are_needed_and_safe(user: Person) -> None:
    task = make(user)
    (error,) = user.api.post("/api/v2/task/", {"name": "a", "version": "1"}, 422)["detail"]
    assert error["msg"].endswith("Task must have at least one valid command (parallel and/or non_parallel)")
    for character in "`#$&*()\\|[]{};<>?!":
        command = {"command_parallel": f"run {character}"}
        (error,) = make(user, 422, **command)["detail"]
        assert error["msg"].startswith("Value error, Command must not contain any of this characters: '")
        assert error["msg"].endswith(f"\nProvided command: 'run {character}'.")
        (changed,) = user.api.patch(f"/api/v2/task/{task['id']}/", command, 422)["detail"]
        assert changed["loc"] == ["body", "command_parallel"]
        assert changed["msg"].endswith(f"\nProvided command: 'run {character}'.")
    assert user.api.get(f"/api/v2/task/{task['id']}/") == task


@pytest.mark.parametrize("part", ["args_schema", "meta"])
def test_parts_that_the_type_does_not_have(user: Person, part: str) -> None:
    sic = "Cannot set `TaskV2.args_schema_{0}` or `TaskV2.args_schema_{0}` if TaskV2 is {1}"
    body = {"name": "one part", "version": "1"}
    for value in ({"a": 1}, {}):
        wrong = {**body, "command_parallel": "x", f"{part}_non_parallel": value}
        assert user.api.post("/api/v2/task/", wrong, 422) == {"detail": sic.format("non_parallel", "parallel")}
        wrong = {**body, "command_non_parallel": "x", f"{part}_parallel": value}
        assert user.api.post("/api/v2/task/", wrong, 422) == {"detail": sic.format("parallel", "non_parallel")}
    make(user, type="converter_compound", **{f"{part}_non_parallel": {"a": 1}})


def test_with_whom_a_task_is_shared(server: Server, user: Person, other: Person) -> None:
    default = user.api.get(f"/api/v2/task-group/{make(user, query={'private': False})['taskgroupv2_id']}/")
    (everybody,) = [group["id"] for group in server.admin.get("/auth/group/") if group["name"] == "All"]
    assert default["user_group_id"] == everybody
    group = user_group(server, f"lab {user.id}", user)
    shared = make(user, query={"user_group_id": group})
    assert user.api.get(f"/api/v2/task-group/{shared['taskgroupv2_id']}/")["user_group_id"] == group
    private = make(user)
    assert user.api.get(f"/api/v2/task-group/{private['taskgroupv2_id']}/")["user_group_id"] is None

    answer = make(user, 422, query={"user_group_id": group, "private": True})
    assert answer == {"detail": f"Cannot set both user_group_id={group} and private=True"}
    assert make(user, 404, query={"user_group_id": 98765}) == {"detail": "UserGroup 98765 not found"}
    answer = make(other, 403, query={"user_group_id": group})
    assert answer == {"detail": f"User {other.id} does not belong to UserGroup {group}"}

    for task in (shared, private):
        answer = other.api.get(f"/api/v2/task/{task['id']}/", 403)
        text = f"Current user has no read access to TaskGroupV2 {task['taskgroupv2_id']}."
        assert answer == {"detail": text}
        answer = other.api.patch(f"/api/v2/task/{task['id']}/", {"category": "x"}, 403)
        assert answer == {"detail": [f"Current user has no full access to TaskGroupV2 {task['taskgroupv2_id']}."]}
    assert other.api.get("/api/v2/task/98765/", 404) == {"detail": "TaskV2 98765 not found"}
    assert other.api.get(f"/api/v2/task/{2**40}/", 404) == {"detail": f"TaskV2 {2**40} not found"}
    server.admin.post(f"/auth/group/{group}/add-user/{other.id}/", status=200)
    assert other.api.get(f"/api/v2/task/{shared['id']}/") == shared


def test_the_list_is_slim_and_by_id(server: Server, user: Person, other: Person) -> None:
    group = user_group(server, f"readers {user.id}", user, other)
    mine, theirs, hidden = make(user), make(other, query={"user_group_id": group}), make(other)
    tasks = user.api.get("/api/v2/task/")
    ids = [task["id"] for task in tasks]
    assert ids == sorted(ids)
    assert {mine["id"], theirs["id"]} <= set(ids)
    assert hidden["id"] not in ids
    assert all(task.keys() == SLIM_KEYS for task in tasks)
    user.api.post(f"/api/v2/task-group/{mine['taskgroupv2_id']}/deactivate/", status=202)
    assert mine["id"] in [task["id"] for task in user.api.get("/api/v2/task/")]


def test_nobody_has_the_same_package_twice(server: Server, user: Person, other: Person) -> None:
    name = f"unique {user.id}"
    group = user_group(server, f"unique {user.id}", user, other)
    make(user, name=name, query={"user_group_id": group})
    answer = make(user, 422, name=name)
    assert answer == {"detail": f"User '{user.email}' already owns a task group with name='{name}' and version='1'."}
    answer = make(other, 422, name=name, query={"user_group_id": group})
    text = f"UserGroup unique {user.id} already owns a task group with pkg_name='{name}' and version='1'."
    assert answer == {"detail": text}
    make(user, name=name, version="2")
    private = make(other, name=name)
    path = f"/api/v2/task-group/{private['taskgroupv2_id']}/"
    assert other.api.patch(path, {"user_group_id": group}, 422) == {"detail": text}


def test_of_many_at_once_one_is_made(user: Person) -> None:
    body = {"name": f"raced {next(_numbers)} {user.id}", "version": "1", "command_parallel": "run"}

    def post(_: int) -> int:
        return user.api.http.post("/api/v2/task/", json=body).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(post, range(6))) == [201, 422, 422, 422, 422, 422]


def test_what_can_be_changed(user: Person) -> None:
    task = make(user, command_non_parallel="init")
    path = f"/api/v2/task/{task['id']}/"
    assert user.api.patch(path, {}) == task
    changes = {
        "command_parallel": "run2",
        "command_non_parallel": "init2",
        "input_types": {"a": True},
        "output_types": {"b": False},
        "category": "c",
        "modality": "m",
        "authors": "x",
        "tags": ["t"],
    }
    assert user.api.patch(path, changes) == {**task, **changes}
    cleared = user.api.patch(path, {"category": None, "modality": None, "authors": None, "tags": None})
    assert (cleared["category"], cleared["modality"], cleared["authors"], cleared["tags"]) == (None, None, None, [])
    assert user.api.get(path) == cleared
    for field in ("command_parallel", "command_non_parallel", "input_types", "output_types"):
        (error,) = user.api.patch(path, {field: None}, 422)["detail"]
        assert error["loc"] == ["body", field]
    for field in ("name", "version", "type", "meta_parallel", "docs_info", "is_core"):
        (error,) = user.api.patch(path, {field: "x"}, 422)["detail"]
        assert (error["type"], error["loc"]) == ("extra_forbidden", ["body", field])


def test_commands_that_a_task_does_not_have(user: Person) -> None:
    parallel = make(user)
    answer = user.api.patch(f"/api/v2/task/{parallel['id']}/", {"command_non_parallel": "x"}, 422)
    assert answer == {"detail": "Cannot set an unset `command_non_parallel`."}
    body = {"name": f"single {next(_numbers)}", "version": "1", "command_non_parallel": "run"}
    single = user.api.post("/api/v2/task/", body, private=True)
    answer = user.api.patch(f"/api/v2/task/{single['id']}/", {"command_parallel": "x"}, 422)
    assert answer == {"detail": "Cannot set an unset `command_parallel`."}


def test_single_tasks_are_never_deleted(user: Person) -> None:
    answer = {"detail": "Cannot delete single tasks, please operate directly on task groups."}
    assert user.api.delete("/api/v2/task/98765/", 405) == answer
    assert user.api.delete(f"/api/v2/task/{make(user)['id']}/", 405) == answer


def test_a_task_of_another_resource_is_out_of_reach_even_for_its_owner(server: Server, user: Person) -> None:
    task = make(user)
    resource = server.admin.get("/admin/v2/resource/")[0]
    body = {name: value for name, value in resource.items() if name not in ("id", "timestamp_created")}
    other = server.admin.post("/admin/v2/resource/", {**body, "name": f"other {user.id}"})["id"]
    profile = {"name": f"other {user.id}", "resource_type": "local"}
    profile_id = server.admin.post(f"/admin/v2/resource/{other}/profile/", profile)["id"]
    server.admin.patch(f"/auth/users/{user.id}/", {"profile_id": profile_id})
    answer = user.api.get(f"/api/v2/task/{task['id']}/", 403)
    assert answer == {"detail": f"User {user.id} has no access to TaskGroup's Resource."}
    assert task["id"] not in [one["id"] for one in user.api.get("/api/v2/task/")]
    assert user.api.get(f"/api/v2/task-group/{task['taskgroupv2_id']}/")["task_list"] == [task]
    server.admin.patch(f"/auth/users/{user.id}/", {"profile_id": server.profile_id})
    server.admin.delete(f"/admin/v2/profile/{profile_id}/")
    server.admin.delete(f"/admin/v2/resource/{other}/")
