"""Task packages from their collection to their deletion: wheels, the package index, files on the cluster, pixi."""

import tempfile
from pathlib import Path
from typing import Any

from tests.wheels import make_wheel

from ..pair import Pair

PIP = "/task/collect/pip/"
PIXI = "/task/collect/pixi/"
INDEXED = {"package": "fractal-tasks-core", "package_version": "surely-not"}
PINS = ('{"a": ""}', '{"a": 1}', '{" ": "1"}', "[]", "[1]", "x")
UNSAFE = '{"a;": "1"}'


def run(pair: Pair) -> None:
    with tempfile.TemporaryDirectory() as directory:
        wheels = [
            make_wheel(Path(directory), "fractal-diff", version=version, requires="packaging") for version in "12"
        ]
        files = [{"file": (wheel.name, wheel.read_bytes())} for wheel in wheels]
    refused(pair, files[0])
    collected(pair, files[0])
    lifecycle(pair)
    administered(pair)
    failing(pair)
    pixi(pair)


def refused(pair: Pair, wheel: dict[str, Any]) -> None:
    for form in (
        {"python_version": "3.9"},
        {"package": "a"},
        {"package_version": "1"},
        {"package_extras": "[a]"},
        {"package_extras": "a;b"},
        {"package_extras": " "},
        *({"pinned_package_versions_pre": pins} for pins in PINS),
        *({"pinned_package_versions_post": pins} for pins in (*PINS, UNSAFE, '{"a": "1", " a": "2"}')),
    ):
        pair.call("u1", "POST", PIP, data=form, files=wheel, note=str(form))
    for name in ("a;b-1.whl", "a/b-1.whl", "nothing.whl", "a-...whl", "a-..-b.whl"):
        pair.call("u1", "POST", PIP, files={"file": (name, b"x")}, note=name)
    for form in (
        INDEXED,
        {"package": "surely-no-such-package-of-fractal"},
        {"package": "a b"},
        {"package": "a/b"},
        {"package": ".."},
        {"package": "packaging", "package_version": "24.2", "package_extras": "x;y"},
        {"package": "packaging", "package_version": "24.2;"},
    ):
        pair.call("u1", "POST", PIP, data=form, note=str(form))
    pair.call("u1", "POST", PIP, json={"package": "a"}, note="json")
    for params in (
        {"private": True, "user_group_id": 1},
        {"user_group_id": 98765},
        {"user_group_id": "x"},
        {"private": "x"},
    ):
        pair.call("u1", "POST", PIP, params=params, files=wheel, note=str(params))


def ended(pair: Pair, name: str, who: str = "u1") -> None:
    """The activity of that name, its group's state and everybody's list."""
    pair.wait(who, f"/task-group/activity/${name}/")
    pair.call(who, "GET", f"/task-group/activity/${name}/", note=f"{name} ended")


def collected(pair: Pair, wheel: dict[str, Any]) -> None:
    pair.call("u1", "POST", PIP, files=wheel, data={"python_version": "", "surplus": "x"}, save="collection")
    pair.pick("u1", "/task-group/activity/$collection/", "pg", lambda body: body["taskgroupv2_id"])
    pair.call("u1", "GET", "/task-group/$pg/", note="at once")
    pair.call("u1", "POST", PIP, files=wheel, note="meanwhile")
    pair.call("u2", "POST", PIP, files=wheel, note="meanwhile")
    ended(pair, "collection")
    pair.call("u1", "GET", "/task-group/$pg/", note="collected")
    pair.call("u2", "GET", "/task-group/$pg/", note="collected")
    pair.call("u1", "POST", PIP, files=wheel, note="again")
    pair.call("u2", "POST", PIP, files=wheel, note="again")
    pair.call("u2", "POST", PIP, files=wheel, params={"private": True}, save="collection2", note="private")
    ended(pair, "collection2", "u2")
    pair.pick("u1", "/task-group/$pg/", "pt", lambda body: body["task_list"][0]["id"])
    for body in (
        {"command_parallel": "x"},
        {"command_non_parallel": "x", "input_types": {}},
        {"input_types": {}},
        {"output_types": {}},
        {"category": "x", "tags": ["a"]},
    ):
        pair.call("u1", "PATCH", "/task/$pt/", json=body, note=str(body))
    for params in ({}, {"only_owner": True}):
        pair.call("u2", "GET", "/task-group/", params=params, note=f"two of the same {params}")
    # A package of the index that brings no tasks.
    form = {"package": "Iniconfig", "package_version": "2.0", "pinned_package_versions_post": '{"packaging": "24.2"}'}
    pair.call("u1", "POST", PIP, data=form, save="indexed", note="from the index")
    ended(pair, "indexed")


def lifecycle(pair: Pair) -> None:
    pair.call("u1", "POST", "/task-group/$pg/reactivate/", note="active")
    pair.call("u1", "POST", "/task-group/$pg/deactivate/", save="deactivation")
    pair.call("u1", "GET", "/task-group/$pg/", note="at once")
    ended(pair, "deactivation")
    pair.call("u1", "POST", "/task-group/$pg/deactivate/", note="again")
    pair.call("u1", "POST", "/project/", json={"name": "Of packages"}, save="pp")
    pair.call("u1", "POST", "/project/$pp/workflow/", json={"name": "w"}, save="pw")
    pair.call("u1", "POST", "/project/$pp/workflow/$pw/wftask/", json=[{"task_id": "$pt"}], note="inactive")
    task = {"pkg_name": "fractal-diff", "version": "1", "name": "Greet"}
    flow = {"name": "imported", "task_list": [{"task": task}]}
    pair.call("u1", "POST", "/project/$pp/workflow/import/", json=flow, save="pw2", note="inactive")
    pair.call("u1", "POST", "/task-group/$pg/delete/", note="in use")
    pair.call("u1", "POST", "/project/$pp/dataset/", json={"name": "d"}, save="pd")
    which = {"workflow_id": "$pw2", "dataset_id": "$pd"}
    pair.call("u1", "POST", "/project/$pp/job/submit/", params=which, json={}, note="inactive")
    pair.call("u1", "POST", "/task-group/$pg/reactivate/", save="reactivation")
    ended(pair, "reactivation")
    pair.call("u1", "GET", "/task-group/$pg/", note="reactivated")
    pair.call("u1", "GET", "/project/$pp/workflow/$pw2/", note="active again")


def administered(pair: Pair) -> None:
    group = "/admin/v2/task-group/$pg/"
    pair.call("admin", "POST", f"{group}reactivate/", note="active")
    pair.call("admin", "POST", f"{group}reset/pip/", json={}, note="active")
    pair.call("admin", "POST", f"{group}deactivate/", save="deactivation2")
    ended(pair, "deactivation2")
    pair.call("admin", "GET", group, note="deactivated")
    for body in ({}, {"use_pixi_lockfile": True}, {"use_pixi_lockfile": "x"}, {"a": 1}, None):
        pair.call("admin", "POST", f"{group}reset/pixi/", json=body, note=str(body))
    for body in (
        {"python_version": "3.9"},
        {"python_version": "2.7"},
        {"pinned_package_versions_pre": {"a": "1"}},
        *({"pinned_package_versions_post": pins} for pins in (*PINS, "")),
        {"pip_extras": 1},
        {"surplus": 1},
        None,
    ):
        pair.call("admin", "POST", f"{group}reset/pip/", json=body, note=str(body))
    body = {"pinned_package_versions_pre": UNSAFE}
    pair.call("admin", "POST", f"{group}reset/pip/", json=body, save="unsafe", note="no such package")
    pair.wait("u1", "/task-group/activity/$unsafe/")
    pair.call("admin", "GET", group, note="reset failed")
    body = {"pinned_package_versions_pre": '{"packaging": "24.2"}', "python_version": "3.11"}
    pair.call("admin", "POST", f"{group}reset/pip/", json=body, save="again")
    ended(pair, "again")
    pair.call("admin", "GET", group, note="reset")
    pair.call("admin", "POST", f"{group}deactivate/", save="deactivation3")
    ended(pair, "deactivation3")
    pair.call("admin", "POST", f"{group}reset/pip/", json={}, save="again2")
    ended(pair, "again2")
    pair.call("admin", "GET", group, note="reset without pins")
    pair.call("u1", "DELETE", "/project/$pp/")
    pair.call("u1", "POST", "/task-group/$pg/delete/", save="removal")
    ended(pair, "removal")
    pair.call("admin", "GET", group, note="deleted")
    pair.call("u1", "GET", "/task-group/activity/", params={"pkg_name": "fractal-diff"}, note="deleted")


def failing(pair: Pair) -> None:
    """A wheel that is none: its group vanishes with the failure."""
    pair.call("u1", "POST", PIP, files={"file": ("broken-1-py3-none-any.whl", b"x")}, save="broken")
    pair.wait("u1", "/task-group/activity/$broken/")
    pair.pick("u1", "/task-group/activity/$broken/", "gone", lambda body: body["taskgroupv2_id"] is None)
    pair.call("u1", "GET", "/task-group/activity/$broken/", note="failed")
    pair.call("u1", "GET", "/task-group/activity/", params={"pkg_name": "broken", "status": "failed"})


def pixi(pair: Pair) -> None:
    good = {"file": ("a-1.tar.gz", b"x")}
    pair.call("u1", "POST", PIXI, files=good, note="not available")
    for side in (pair.theirs, pair.ours):
        path = side.filled("/admin/v2/resource/$default_resource/")
        resource = side.people["admin"].get(path).json()
        for name in ("id", "timestamp_created"):
            resource.pop(name)
        config = {"versions": {"1": "/nothing/1", "2": "/nothing/2"}, "default_version": "1"}
        side.people["admin"].put(path, json=resource | {"tasks_pixi_config": config}).raise_for_status()
    for name in ("a-1.zip", "a.tar.gz", "a-b-1.tar.gz", "a-1.tar.gz.zip"):
        pair.call("u1", "POST", PIXI, files={"file": (name, b"x")}, note=name)
    for form in ({"pixi_version": "9"}, {"pixi_version": " "}, {"use_pixi_lockfile": "x"}):
        pair.call("u1", "POST", PIXI, files=good, data=form, note=str(form))
    pair.call("u1", "POST", PIXI, data={"pixi_version": "1"}, note="no file")
    form = {"pixi_version": ""}
    pair.call("u1", "POST", PIXI, files={"file": ("My_a.b-1.0.tar.gz", b"x")}, data=form, save="px", note="no archive")
    pair.wait("u1", "/task-group/activity/$px/")
    pair.call("u1", "GET", "/task-group/activity/$px/", note="no archive")
