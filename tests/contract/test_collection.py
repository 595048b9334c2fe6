"""api §12, §13: manifests and the collection of packages from an index, a wheel, or an environment that exists."""

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.api import Api
from tests.wheels import make_wheel

from .server import Person, Server

PIP = "/api/v2/task/collect/pip/"
CUSTOM = "/api/v2/task/collect/custom/"
ACTIVITY_KEYS = [
    *("id", "user_id", "taskgroupv2_id", "timestamp_started", "timestamp_ended", "pkg_name", "version"),
    *("status", "action", "log"),
]
INVALID = "Invalid request-body\n"
ONE_PLACE = "Value error, One and only one must be set between 'package_root' and 'package_name'"


def collect(api: Api, status: int, *, query: dict[str, Any] | None = None, file: str | None = None, **form: str) -> Any:
    files = {"file": (file, b"not a wheel")} if file else None
    return api.call("POST", PIP, status, data=form, files=files, params=query or {})


def refusal(api: Api, *, file: str | None = None, **form: str) -> str:
    detail = collect(api, 422, file=file, **form)["detail"]
    assert isinstance(detail, str)
    return detail


def test_a_form_is_looked_at_before_its_sender(anonymous: Api, guest: Person) -> None:
    for api in (anonymous, guest.api):
        assert refusal(api).startswith(INVALID)
    collect(anonymous, 401, package="a")
    collect(guest.api, 403, package="a")


def test_forms_that_make_no_sense(user: Person) -> None:
    api = user.api
    assert "When no `file` is provided, `package` is required." in refusal(api)
    assert "When no `file` is provided, `package` is required." in refusal(api, package="")
    answer = api.call("POST", PIP, 422, json={"package": "a"})
    assert "When no `file` is provided, `package` is required." in answer["detail"]
    wheel = "a-1-py3-none-any.whl"
    assert "Cannot set `package` when `file` is provided (given package='a')." in refusal(api, file=wheel, package="a")
    text = "Cannot set `package_version` when `file` is provided (given package_version='1')."
    assert text in refusal(api, file=wheel, package_version="1")
    assert "Wheel filename has forbidden characters, [';', '/']" in refusal(api, file="a;b-1.whl")
    assert "Command must not contain any of this characters" in refusal(api, package="a; rm")
    assert "Command must not contain any of this characters" in refusal(api, package="a", package_extras="[x]")
    assert "Expecting value: line 1 column 1 (char 0)" in refusal(api, package="a", pinned_package_versions_pre="x")
    assert INVALID in refusal(api, package="a", pinned_package_versions_pre="[]")
    assert INVALID in refusal(api, package="a", pinned_package_versions_post='{"b": "$(x)"}')
    assert INVALID in refusal(api, package="a", pinned_package_versions_post='{"b": ""}')
    (error,) = collect(api, 422, package="a", python_version="2.7")["detail"]
    assert (error["type"], error["loc"]) == ("literal_error", ["body", "python_version"])
    problem = "Invalid wheel_filename='nodash.whl'. Original error: list index out of range."
    answer = collect(api, 422, file="nodash.whl")
    assert answer == {"detail": [f"Invalid wheel-file name nodash.whl. Original error: {problem}"]}


def test_an_interpreter_that_the_resource_does_not_have(user: Person) -> None:
    answer = refusal(user.api, package="packaging", python_version="3.9", surplus="ignored")
    assert answer == "Python version 3.9 is not available for this Fractal resource."


def test_packages_and_versions_that_the_index_does_not_have(user: Person) -> None:
    hint = "Hint: specify the required version for 'Packaging'."
    answer = refusal(user.api, package="Packaging", package_version="nine")
    assert answer == f"No version starting with nine found.\n{hint}"
    answer = refusal(user.api, package="Fractal_no.such_package")
    assert answer.startswith("Could not get ")
    hint = "Hint: specify the required version for 'Fractal_no.such_package'."
    assert answer.endswith(f"/fractal-no-such-package/ (status_code 404).\n{hint}")


def test_a_version_is_completed_and_a_package_without_manifest_leaves_nothing(server: Server, user: Person) -> None:
    query = {"private": True}
    activity = collect(user.api, 202, query=query, package="Packaging", package_version="24.", package_extras="")
    assert list(activity) == ACTIVITY_KEYS
    # Of those that start with it, the greatest as a text; the name is normalised.
    assert (activity["pkg_name"], activity["version"]) == ("packaging", "24.2")
    assert (activity["status"], activity["action"], activity["log"]) == ("pending", "collect", None)
    assert (activity["user_id"], activity["timestamp_ended"]) == (user.id, None)
    path = f"/api/v2/task-group/{activity['taskgroupv2_id']}/"
    group = user.api.get(path)
    assert (group["origin"], group["active"], group["task_list"], group["user_group_id"]) == ("pypi", True, [], None)
    assert group["path"] == f"{server.folder}/tasks/{user.id}/packaging/24.2"
    assert group["venv_path"] == f"{group['path']}/venv"
    assert group["pip_extras"] is None
    again = refusal(user.api, package="packaging", package_version="24.2")
    first, note = again.split("\n")
    text = f"User '{user.email}' already owns a task group with name='packaging' and version='24.2'."
    assert first == text
    head = f"Note: There exists another task-group collection (activity ID={activity['id']}) for this task group "
    assert note.startswith(f"{head}(ID={group['id']}), with status '")
    ended = user.api.ended(activity)
    assert (ended["status"], ended["taskgroupv2_id"]) == ("failed", None)
    assert "ERROR: manifest path not found for packaging" in ended["log"]
    assert (
        ended["log"]
        .rstrip()
        .splitlines()[-1]
        .endswith("Task collect failed. Original error: ERROR: manifest path not found for packaging")
    )
    user.api.get(path, 404)
    assert not Path(group["path"]).exists()


def test_a_folder_that_is_there_already(user: Person, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, f"fractal-there-{user.id}")
    group = user.api.get(f"/api/v2/task-group/{user.api.collect(wheel)['taskgroupv2_id']}/")
    user.api.ended(user.api.get("/api/v2/task-group/activity/")[0])
    user.api.ended(user.api.post(f"/api/v2/task-group/{group['id']}/delete/", status=202))
    kept = Path(group["path"]) / "kept"
    kept.mkdir(parents=True)
    assert user.api.collect(wheel, 422) == {"detail": f"{group['path']} already exists."}
    assert kept.exists()


def test_a_wheel_that_is_none_fails_in_its_activity(user: Person) -> None:
    activity = collect(user.api, 202, file="Not_A.wheel-1.0.whl")
    assert (activity["pkg_name"], activity["version"]) == ("not-a-wheel", "1.0.whl")
    assert user.api.ended(activity)["status"] == "failed"
    assert "names no folder" in refusal(user.api, file="a-..-x.whl")


MANIFEST = {"manifest_version": "2", "task_list": [{"name": "One", "executable_parallel": "one.py"}]}


def custom(person: Person, status: int = 201, **fields: Any) -> Any:
    body = {
        "manifest": MANIFEST,
        "python_interpreter": sys.executable,
        "label": "my label",
        "package_root": "/usr",
        "version": "1",
    } | fields
    body = {name: value for name, value in body.items() if value is not ...}
    return person.api.call("POST", CUSTOM, status, json=body, params={"private": True})


def test_tasks_of_an_environment_that_exists(user: Person) -> None:
    manifest = {
        "manifest_version": "2",
        "has_args_schemas": True,
        "args_schema_version": "pydantic_v2",
        "authors": "Ada",
        "unknown": 1,
        "task_list": [
            {
                "name": " One ",
                "executable_parallel": "one.py",
                "args_schema_parallel": {"z": 1, "a": 2},
                "input_types": {" a ": True},
                "tags": ["t"],
                "unknown": 1,
            },
            {
                "name": "Two",
                "executable_non_parallel": "sub/init.py",
                "executable_parallel": "two.py",
                "args_schema_parallel": {},
                "args_schema_non_parallel": {},
                "type": "converter_compound",
                "meta_non_parallel": {"mem": 1},
                "docs_info": "text",
                "docs_link": "https://example.org",
                "category": "c",
                "modality": "m",
            },
        ],
    }
    one, two = custom(user, manifest=manifest, label=" My Label ", package_root="/usr//lib/", version="0.1")
    assert (one["name"], one["version"], one["authors"], one["type"]) == ("One", "0.1", "Ada", "parallel")
    assert one["command_parallel"] == f"{sys.executable} /usr/lib/one.py"
    assert (one["args_schema_version"], list(one["args_schema_parallel"])) == ("pydantic_v2", ["z", "a"])
    assert (one["input_types"], one["tags"], one["command_non_parallel"]) == ({"a": True}, ["t"], None)
    assert (two["type"], two["meta_non_parallel"], two["docs_info"]) == ("converter_compound", {"mem": 1}, "text")
    assert two["command_non_parallel"] == f"{sys.executable} /usr/lib/sub/init.py"
    group = user.api.get(f"/api/v2/task-group/{one['taskgroupv2_id']}/")
    assert (group["pkg_name"], group["version"], group["origin"]) == ("My Label", "0.1", "other")
    assert (group["path"], group["venv_path"], group["python_version"], group["active"]) == (None, None, None, True)
    assert user.api.get("/api/v2/task-group/activity/", taskgroupv2_id=group["id"]) == []
    answer = custom(user, 422, manifest=manifest, label="My Label", version="0.1")
    text = f"User '{user.email}' already owns a task group with name='My Label' and version='0.1'."
    assert answer == {"detail": text}


def test_a_package_is_found_by_its_interpreter(user: Person) -> None:
    (task,) = custom(user, package_root=..., package_name="fractal-common")
    root = Path(sys.modules["fractal_common"].__file__ or "").parent if "fractal_common" in sys.modules else None
    assert root is None or task["command_parallel"] == f"{sys.executable} {root}/one.py"
    answer = custom(user, 422, package_root=..., package_name="no-such-package", label="x")
    assert answer["detail"].startswith("Cannot determine 'package_root'.\nOriginal output: ")
    assert "\nOriginal error: " in answer["detail"]


def test_places_that_are_not_there(user: Person, tmp_path: Path) -> None:
    prefix = "task_collect.python_interpreter"
    text = "is not accessible to the Fractal user or it is not executable."
    assert custom(user, 422, python_interpreter="/no/python") == {"detail": f"{prefix}='/no/python' {text}"}
    plain = tmp_path / "plain"
    plain.write_text("")
    assert custom(user, 422, python_interpreter=str(plain)) == {"detail": f"{prefix}='{plain}' {text}"}
    assert custom(user, 422, python_interpreter="/usr") == {"detail": f"{prefix}='/usr' is not a file."}
    prefix = "task_collect.package_root"
    answer = {"detail": f"{prefix}='/no/root' is not accessible to the Fractal user."}
    assert custom(user, 422, package_root="/no/root") == answer
    assert custom(user, 422, package_root=str(plain)) == {"detail": f"{prefix}='{plain}' is not a directory."}
    assert custom(user, manifest={"manifest_version": "2", "task_list": []}, label="nothing in it") == []


@pytest.mark.parametrize(
    ("fields", "loc", "text"),
    [
        (
            {"package_name": "a"},
            [],
            ONE_PLACE,
        ),
        (
            {"package_root": ...},
            [],
            ONE_PLACE,
        ),
        ({"label": " "}, ["label"], "String should have at least 1 character"),
        ({"python_interpreter": "python"}, ["python_interpreter"], None),
        ({"package_root": "/a/../b"}, ["package_root"], "Value error, String must not contain '/../'."),
        ({"surplus": 1}, ["surplus"], "Extra inputs are not permitted"),
        ({"manifest": MANIFEST | {"manifest_version": 2}}, ["manifest", "manifest_version"], "Input should be '2'"),
    ],
)
def test_bodies_that_are_refused(user: Person, fields: dict[str, Any], loc: list[str], text: str | None) -> None:
    (error,) = custom(user, 422, **fields)["detail"]
    assert error["loc"] == ["body", *loc]
    assert text in (None, error["msg"])


@pytest.mark.parametrize(
    ("task", "text"),
    [
        (
            {"name": "x"},
            "`TaskManifestV2.executable_non_parallel` and `TaskManifestV2.executable_parallel` cannot be both None.",
        ),
        (
            {"name": "x", "executable_parallel": "a", "meta_non_parallel": {"m": 1}},
            "`TaskManifestV2.meta_non_parallel` must be an empty dict if `TaskManifestV2.executable_non_parallel` is "
            "None. Given: {'m': 1}.",
        ),
        (
            {"name": "x", "executable_non_parallel": "a", "args_schema_parallel": {}},
            "`TaskManifestV2.args_schema_parallel` must be None if `TaskManifestV2.executable_parallel` is None. "
            "Given: {}.",
        ),
    ],
)
def test_manifest_tasks_that_are_refused(user: Person, task: dict[str, Any], text: str) -> None:
    (error,) = custom(user, 422, manifest={"manifest_version": "2", "task_list": [task]})["detail"]
    assert (error["loc"], error["msg"]) == (["body", "manifest", "task_list", 0], f"Value error, {text}")


def test_manifests_that_contradict_themselves(user: Person) -> None:
    one = MANIFEST["task_list"][0]
    (error,) = custom(user, 422, manifest=MANIFEST | {"has_args_schemas": True})["detail"]
    text = "Value error, Manifest has has_args_schemas=True, but task 'One' has task.args_schema_parallel=None."
    assert error["msg"] == text
    (error,) = custom(user, 422, manifest=MANIFEST | {"task_list": [one, one]})["detail"]
    assert error["msg"] == ("""Value error, ('Task names in manifest must be unique.\\n', "Given: ['One', 'One'].")""")


@pytest.mark.parametrize(
    "task",
    [
        {"name": "x", "executable_parallel": "a;b"},
        {"name": "x", "executable_parallel": "a", "category": ""},
        {"name": "x", "executable_parallel": "a", "tags": ["t", "t"]},
        {"name": " ", "executable_parallel": "a"},
    ],
)
def test_a_manifest_whose_tasks_would_be_invalid_is_the_senders_mistake(user: Person, task: dict[str, Any]) -> None:
    answer = custom(user, 422, manifest={"manifest_version": "2", "task_list": [task]}, label="invalid")
    assert answer["detail"].startswith(
        "Invalid task in the manifest. Original error: 1 validation error for TaskCreate"
    )
    assert all(group[0] != "invalid" for group in user.api.get("/api/v2/task-group/"))
