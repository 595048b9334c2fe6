"""api §19: workflows exported and imported."""

from typing import Any

import pytest

from .server import Person, Server

COMMAND = "python3 /task.py"


@pytest.fixture
def package(server: Server) -> str:
    """A name that no package has; a manual task is a package of its own."""
    return f"package {server.new_email()}"


@pytest.fixture
def workflows(user: Person) -> str:
    project = user.api.post("/api/v2/project/", {"name": "p"})["id"]
    return f"/api/v2/project/{project}/workflow/"


def task(person: Person, name: str, version: str = "1", *, private: bool = False, **fields: Any) -> dict[str, Any]:
    body = {"name": name, "version": version, "command_parallel": COMMAND} | fields
    return person.api.post("/api/v2/task/", body, private=private)


def named(package: str, version: str | None = "1", name: str | None = None) -> dict[str, Any]:
    return {"pkg_name": package, "version": version, "name": name or package}


def import_(person: Person, workflows: str, *items: dict[str, Any], status: int = 201, **fields: Any) -> Any:
    return person.api.post(f"{workflows}import/", {"name": "imported", "task_list": list(items)} | fields, status)


def test_an_export_can_be_imported_again(user: Person, workflows: str, package: str) -> None:
    converter = {"command_non_parallel": COMMAND, "type": "converter_non_parallel"}
    created = user.api.post("/api/v2/task/", {"name": f"{package} c", "version": "1.0", **converter})
    parallel = task(user, package, "2", meta_parallel={"mem": 1, "cpus_per_task": 2})
    workflow = user.api.post(workflows, {"name": "w/ü", "description": "why"})["id"]
    items = [
        {"task_id": created["id"], "args_non_parallel": {"a": [1, None]}, "alias": "A", "description": "D"},
        {"task_id": parallel["id"], "type_filters": {"t": True}, "args_parallel": {}, "meta_parallel": {"mem": 3}},
    ]
    user.api.post(f"{workflows}{workflow}/wftask/", items)
    export = user.api.get(f"{workflows}{workflow}/export/")
    assert export == {
        "name": "w/ü",
        "description": "why",
        "task_list": [
            {
                "meta_non_parallel": None,
                "meta_parallel": None,
                "args_non_parallel": {"a": [1, None]},
                "args_parallel": None,
                "type_filters": {},
                "description": "D",
                "alias": "A",
                "task": named(f"{package} c", "1.0"),
            },
            {
                "meta_non_parallel": None,
                "meta_parallel": {"mem": 3, "cpus_per_task": 2},
                "args_non_parallel": None,
                "args_parallel": {},
                "type_filters": {"t": True},
                "description": None,
                "alias": None,
                "task": named(package, "2"),
            },
        ],
    }
    second = user.api.post("/api/v2/project/", {"name": "q"})["id"]
    imported = user.api.post(f"/api/v2/project/{second}/workflow/import/", export)
    assert user.api.get(f"/api/v2/project/{second}/workflow/{imported['id']}/") == imported
    assert user.api.get(f"/api/v2/project/{second}/workflow/{imported['id']}/export/") == export
    assert list(imported) == [
        "id",
        "name",
        "project_id",
        "is_starred",
        "task_list",
        "project",
        "timestamp_created",
        "description",
        "template_id",
    ]
    assert (imported["template_id"], imported["is_starred"], imported["project"]["name"]) == (None, False, "q")
    assert [(one["order"], one["task_id"], one["task_type"], one["warning"]) for one in imported["task_list"]] == [
        (0, created["id"], "converter_non_parallel", None),
        (1, parallel["id"], "parallel", None),
    ]


def test_the_tasks_own_meta_is_merged_under_the_imported_one(user: Person, workflows: str, package: str) -> None:
    task(user, package, meta_parallel={"cpus_per_task": 2, "a": 1})
    given = {"meta_parallel": {"a": 9, "b": 2}, "meta_non_parallel": {}, "args_parallel": {}}
    (item,) = import_(user, workflows, given | {"task": named(package)})["task_list"]
    assert item["meta_parallel"] == {"cpus_per_task": 2, "a": 9, "b": 2}
    assert (item["meta_non_parallel"], item["args_parallel"], item["type_filters"]) == (None, {}, {})


def test_names_are_unique_and_tasks_may_be_none(user: Person, workflows: str) -> None:
    imported = import_(user, workflows, description="d")
    assert (imported["task_list"], imported["description"]) == ([], "d")
    project = imported["project_id"]
    missing = {"task": named("nowhere")}
    assert import_(user, workflows, missing, status=422) == {
        "detail": f"Workflow with name='imported' and project_id={project} already exists."
    }


def test_what_was_not_found_is_told_for_every_task(user: Person, workflows: str, package: str) -> None:
    for version in ("1.1.0", "weird_v", "2.0.0rc1", "1.0.0"):
        created = task(user, package, version)
    items = [named(package, "9.9"), named(package, "1.0.0"), named("nowhere"), named(package, None)]
    answer = import_(user, workflows, *({"task": item} for item in items), status=422)

    def versions(*pairs: tuple[str, bool]) -> list[dict[str, Any]]:
        return [
            {"version": version, "older_than_target": older, "active": True, "is_core": False}
            for version, older in pairs
        ]

    all_older = versions(("2.0.0rc1", True), ("1.1.0", True), ("1.0.0", True), ("weird_v", True))
    unknown = versions(("2.0.0rc1", False), ("1.1.0", False), ("1.0.0", False), ("weird_v", False))
    first = {"pkg_name": package, "task_name": package}
    assert answer == {
        "detail": "[HAS_ERROR_DATA]",
        "data": [
            {"outcome": "fail", **first, "version": "9.9", "available_tasks": all_older},
            {"outcome": "success", **first, "version": "1.0.0", "task_id": created["id"]},
            {
                "outcome": "fail",
                "pkg_name": "nowhere",
                "version": "1",
                "task_name": "nowhere",
                "available_tasks": [],
            },
            {"outcome": "fail", **first, "version": None, "available_tasks": unknown},
        ],
    }
    assert user.api.get(workflows) == []


def test_a_version_that_is_none_ranks_below_every_true_one(user: Person, workflows: str, package: str) -> None:
    for version in ("1.0", "aaa", "zzz"):
        task(user, package, version)
    (item,) = import_(user, workflows, {"task": named(package, "mmm")}, status=422)["data"]
    assert [(one["version"], one["older_than_target"]) for one in item["available_tasks"]] == [
        ("1.0", False),
        ("zzz", False),
        ("aaa", True),
    ]


def test_package_and_version_are_compared_as_they_are_written(user: Person, workflows: str, package: str) -> None:
    task(user, package, "1.0")
    for other in (named(package.upper(), "1.0", package), named(package, "1.0", "other name")):
        (item,) = import_(user, workflows, {"task": other}, status=422)["data"]
        assert item["available_tasks"] == []
    (item,) = import_(user, workflows, {"task": named(package, "1.0.0")}, status=422)["data"]
    assert item["available_tasks"][0]["version"] == "1.0"
    # As any non-empty text, names lose surrounding blanks.
    import_(user, workflows, {"task": named(f" {package} ", " 1.0 ")})


def test_an_inactive_task_is_imported_with_a_warning(user: Person, workflows: str, package: str) -> None:
    created = task(user, package)
    user.api.post(f"/api/v2/task-group/{created['taskgroupv2_id']}/deactivate/", status=202)
    (failed,) = import_(user, workflows, {"task": named(package, "2")}, status=422)["data"]
    assert failed["available_tasks"] == [{"version": "1", "older_than_target": True, "active": False, "is_core": False}]
    (item,) = import_(user, workflows, {"task": named(package)})["task_list"]
    assert (item["task_id"], item["warning"]) == (created["id"], "Task is not active.")


def test_tasks_of_others_are_seen_if_shared(user: Person, other: Person, workflows: str, package: str) -> None:
    task(other, package, "1", private=True)
    (item,) = import_(user, workflows, {"task": named(package)}, status=422)["data"]
    assert item["available_tasks"] == []
    shared = task(other, package, "2")
    (item,) = import_(user, workflows, {"task": named(package, "1")}, status=422)["data"]
    assert [one["version"] for one in item["available_tasks"]] == ["2"]
    (item,) = import_(user, workflows, {"task": named(package, "2")})["task_list"]
    assert item["task_id"] == shared["id"]


def test_among_equal_versions_own_then_default_then_oldest_membership(
    user: Person, other: Person, server: Server, workflows: str, package: str
) -> None:
    third, admin = server.person(), server.admin
    groups = [admin.post("/auth/group/", {"name": server.new_email()})["id"] for _ in range(2)]
    for group in reversed(groups):
        for person in (user, other, third):
            admin.post(f"/auth/group/{group}/add-user/{person.id}/", status=200)

    def shared(owner: Person, group: int) -> int:
        body = {"name": package, "version": "1", "command_parallel": COMMAND}
        return owner.api.post("/api/v2/task/", body, user_group_id=group)["id"]

    def imported(name: str) -> int:
        return import_(user, workflows, {"task": named(package)}, name=name)["task_list"][0]["task_id"]

    shared(other, groups[0])
    joined_first = shared(third, groups[1])
    assert imported("oldest") == joined_first
    fourth = server.person()
    default = task(fourth, package)["id"]
    assert imported("default") == default
    own = task(user, package, private=True)["id"]
    assert imported("own") == own
    # Asked for another version, all are offered; versions may repeat.
    (item,) = import_(user, workflows, {"task": named(package, "2")}, name="none", status=422)["data"]
    assert [one["version"] for one in item["available_tasks"]] == ["1"] * 4


@pytest.mark.parametrize("key", ["zarr_url", "zarr_urls", "zarr_dir", "init_args"])
@pytest.mark.parametrize("part", ["args_parallel", "args_non_parallel"])
def test_reserved_arguments_are_refused(user: Person, workflows: str, package: str, part: str, key: str) -> None:
    task(user, package)
    (item,) = import_(user, workflows, {"task": named(package), part: {key: 1}}, status=422)["detail"]
    assert item["loc"] == ["body", "task_list", 0, part]
    assert item["msg"] == f"Value error, `args` contains the following forbidden keys: {{'{key}'}}"
    assert user.api.get(workflows) == []


def test_filters_that_contradict_the_task_are_refused(user: Person, workflows: str, package: str) -> None:
    task(user, package, input_types={"a": True})
    answer = import_(user, workflows, {"task": named(package), "type_filters": {"a": False}}, status=422)
    assert answer["detail"] == (
        "Incompatible type filters.\nOriginal error: Cannot merge type filters `{'a': True}` (from task) and "
        "`{'a': False}` (from workflowtask)."
    )
    assert user.api.get(workflows) == []


def test_parts_that_the_task_lacks_are_imported(user: Person, workflows: str, package: str) -> None:
    task(user, package)
    (item,) = import_(user, workflows, {"task": named(package), "args_non_parallel": {"a": 1}})["task_list"]
    assert (item["task_type"], item["args_non_parallel"]) == ("parallel", {"a": 1})


def test_legacy_filters_become_type_filters(user: Person, workflows: str, package: str) -> None:
    task(user, package)
    one = {"task": named(package), "input_filters": {"attributes": {}, "types": {"a": True}}}
    none = {"task": named(package), "input_filters": None, "type_filters": None}
    without_types = {"task": named(package), "input_filters": {"attributes": {}}}
    imported = import_(user, workflows, one, none, without_types)
    assert [item["type_filters"] for item in imported["task_list"]] == [{"a": True}, {}, {}]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"input_filters": {"attributes": {}, "types": {}}, "type_filters": {}},
            "Cannot set filters both through the legacy field ('filters') and the new one ('type_filters').",
        ),
        ({"input_filters": {"attributes": {"a": [1]}, "types": {}}}, "Cannot set attribute filters for WorkflowTasks."),
        (
            {"input_filters": {"types": {}}},
            "Legacy field `input_filters` must have `attributes` (given {'types': {}}).",
        ),
    ],
)
def test_bad_legacy_filters_are_refused(
    user: Person, workflows: str, package: str, fields: dict[str, Any], message: str
) -> None:
    (item,) = import_(user, workflows, fields | {"task": named(package)}, status=422)["detail"]
    assert (item["type"], item["msg"]) == ("value_error", f"Value error, {message}")


@pytest.mark.parametrize(
    ("body", "kind", "location"),
    [
        ({"name": "a"}, "missing", ["body", "task_list"]),
        ({"name": " ", "task_list": []}, "string_too_short", ["body", "name"]),
        ({"name": "a", "task_list": [], "id": 1}, "extra_forbidden", ["body", "id"]),
        ({"name": "a", "task_list": [{}]}, "missing", ["body", "task_list", 0, "task"]),
        (
            {"name": "a", "task_list": [{"task": {"pkg_name": "a", "name": "b", "id": 1}}]},
            "extra_forbidden",
            ["body", "task_list", 0, "task", "id"],
        ),
        (
            {"name": "a", "task_list": [{"task": {"pkg_name": "a", "name": "b"}, "input_filters": 1}]},
            "dict_type",
            ["body", "task_list", 0, "input_filters"],
        ),
    ],
)
def test_bad_files_are_refused(
    user: Person, workflows: str, body: dict[str, Any], kind: str, location: list[Any]
) -> None:
    (item,) = user.api.post(f"{workflows}import/", body, 422)["detail"]
    assert (item["type"], item["loc"]) == (kind, location)


def test_the_literal_is_an_id_for_other_methods(user: Person, other: Person, workflows: str) -> None:
    assert user.api.get(f"{workflows}import/", 422)["detail"][0]["type"] == "int_parsing"
    assert other.api.post(f"{workflows}import/", {"name": "a", "task_list": []}, 403)
    assert user.api.get(f"{workflows}98765/export/", 404) == {"detail": "Workflow not found"}
