"""A second resource, and somebody who moves to it; directories that hold datasets; manifests and commands at odds."""

from typing import Any

from ..pair import PASSWORD, Pair
from .tasks import MANIFEST

A = "/admin/v2"


def run(pair: Pair) -> None:
    body = {"email": "mover@example.org", "password": PASSWORD, "project_dirs": ["$shared/mover", "$shared/u1"]}
    pair.call("admin", "POST", "/auth/register/", json=body, save="mover")
    pair.call("admin", "PATCH", "/auth/users/$mover/", json={"is_verified": True, "profile_id": "$profile"})
    for side in (pair.theirs, pair.ours):
        side.login("mover", body["email"], PASSWORD)
    at_odds(pair)
    pair.call("mover", "POST", "/project/", json={"name": "Moved"}, save="mp")
    pair.call("mover", "POST", "/project/$mp/dataset/", json={"name": "d"}, save="md")
    pair.call("mover", "POST", "/project/$mp/workflow/", json={"name": "w"}, save="mw")
    pair.call("mover", "GET", "/project/$mp/workflow/$mw/type-filters-flow/", note="no tasks")
    task = {"name": "moved", "version": "1", "command_parallel": "c", "args_schema_parallel": {"a": 1}}
    pair.call("mover", "POST", "/task/", json=task, save="mt1")
    pair.call("mover", "POST", "/task/", json=task | {"version": "2"}, save="mt2")
    pair.call("mover", "POST", "/project/$mp/workflow/$mw/wftask/", json=[{"task_id": "$mt1"}], save="mwt")
    pair.call("mover", "POST", "/project/$mp/workflow/$mw/wftask/", json=[{"task_id": "$m_single"}], save="mws")
    query = {"workflow_task_id": "$mws", "task_id": "$m_single"}
    for body in ({"args_parallel": {}}, {"args_parallel": None}, {"args_non_parallel": {"a": 1}}):
        path = "/project/$mp/workflow/$mw/wftask/replace-task/"
        pair.call("mover", "POST", path, params=query, json=body, note=str(body))
    pair.call("mover", "DELETE", "/project/$mp/workflow/$mw/wftask/$mws/")
    directories(pair)
    moved(pair)
    invalid(pair)


def at_odds(pair: Pair) -> None:
    parallel = MANIFEST["task_list"][0]
    custom = {"python_interpreter": "$python", "label": "odd", "package_root": "/usr", "version": "1"}
    for one in (
        {"name": "x"},
        {"name": "x", "executable_parallel": "a", "meta_non_parallel": {"a": 1}},
        {"name": "x", "executable_parallel": "a", "args_schema_non_parallel": {}},
        {"name": "x", "executable_non_parallel": "a", "meta_parallel": {"a": 1}},
        {"name": "x", "executable_non_parallel": "a", "args_schema_parallel": {}},
        {"name": "x", "executable_parallel": "a", "docs_link": "no link"},
        {"name": "x", "executable_parallel": "a", "type": "nothing"},
        {"name": "x", "executable_parallel": "a", "input_types": {"a": "x"}},
        {"name": "x", "executable_parallel": "a", "tags": None},
    ):
        manifest = MANIFEST | {"task_list": [one]}
        pair.call("mover", "POST", "/task/collect/custom/", json=custom | {"manifest": manifest}, note=str(one))
    for change in ({"task_list": [parallel, parallel]}, {"manifest_version": 2}, {"authors": ""}, {"task_list": None}):
        body = custom | {"manifest": MANIFEST | change}
        pair.call("mover", "POST", "/task/collect/custom/", json=body, note=str(change)[:90])
    for change in (
        {"command_non_parallel": "c"},
        {"command_non_parallel": "c", "args_schema_parallel": {}},
        {"command_parallel": "c", "meta_non_parallel": {}},
        {"command_parallel": "c", "meta_non_parallel": None},
        {"command_parallel": "c", "type": "compound"},
        {"command_parallel": "c", "type": "x"},
        {"command_parallel": "c; d"},
        {"command_parallel": " "},
        {},
    ):
        pair.call("mover", "POST", "/task/", json={"name": f"odd {change}", "version": "1"} | change, note=str(change))
    single = {"name": "single", "version": "1", "command_non_parallel": "c"}
    pair.call("mover", "POST", "/task/", json=single, save="m_single")
    for body in ({"command_parallel": "c"}, {"command_non_parallel": " d "}, {"tags": ["a", " a"]}, {"authors": " x "}):
        pair.call("mover", "PATCH", "/task/$m_single/", json=body, note=str(body))


def directories(pair: Pair) -> None:
    """A directory that holds a dataset can be narrowed to it, not taken away."""
    for dirs in (["/elsewhere"], ["$shared/u1"], ["$shared/mover/fractal", "$shared/u1"], ["$shared", "/x"]):
        body = {"project_dirs": dirs}
        pair.call("admin", "PATCH", "/auth/users/$mover/", json=body, note=str(dirs))
    pair.call("admin", "PATCH", "/auth/users/$mover/", json={"project_dirs": ["$shared/mover", "$shared/u1"]})
    pair.call("mover", "GET", "/auth/current-user/allowed-viewer-paths/", params={"include_shared_projects": False})


def moved(pair: Pair) -> None:
    python = {"default_version": "3.11", "versions": {"3.11": "$python"}}
    resource = {
        "name": "second",
        "type": "local",
        "jobs_local_dir": "$shared/jobs2",
        "tasks_local_dir": "$shared/tasks2",
        "jobs_poll_interval": 0,
        "jobs_runner_config": {},
        "tasks_python_config": python,
        "tasks_pixi_config": {},
    }
    pair.call("admin", "POST", f"{A}/resource/", json=resource, save="second")
    profile = {"name": "second", "resource_type": "local"}
    pair.call("admin", "POST", f"{A}/resource/$second/profile/", json=profile, save="profile_2")
    pair.call("admin", "PATCH", "/auth/users/$mover/", json={"profile_id": "$profile_2"})
    read(pair, "moved")
    pair.call("admin", "PATCH", f"{A}/project/$mp/", params={"user_id": "$u1"}, note="other resource")
    pair.call("mover", "POST", "/project/", json={"name": "At the second"}, save="mp2")
    pair.call("mover", "POST", "/project/$mp2/workflow/", json={"name": "w"}, save="mw2")
    pair.call("mover", "POST", "/project/$mp2/workflow/$mw2/wftask/", json=[{"task_id": "$mt1"}])
    task = {"name": "moved", "version": "1", "command_parallel": "c", "args_schema_parallel": {"a": 1}}
    pair.call("mover", "POST", "/task/", json=task, note="the same at the second, shared")
    pair.call("mover", "POST", "/task/", json=task, params={"private": True}, save="mt3")
    pair.call("mover", "POST", "/project/$mp2/workflow/$mw2/wftask/", json=[{"task_id": "$mt3"}], save="mwt2")
    pair.call("mover", "GET", "/project/$mp2/workflow/$mw2/version-update-candidates/")
    query = {"workflow_task_id": "$mwt2", "task_id": "$mt2"}
    pair.call("mover", "POST", "/project/$mp2/workflow/$mw2/wftask/replace-task/", params=query, json={})
    for params in ({"resource_id": "$second"}, {"resource_id": "$default_resource", "name": "moved"}):
        pair.call("admin", "GET", f"{A}/task/", params=params, note=str(params))
        pair.call("admin", "GET", f"{A}/task-group/", params={"resource_id": "$second"})
    pair.call("admin", "GET", f"{A}/job/", params={"resource_id": "$second"})
    for path in (f"{A}/resource/$second/", f"{A}/profile/$profile_2/"):
        pair.call("admin", "DELETE", path, note="in use")


def read(pair: Pair, note: str) -> None:
    """What the mover sees and may do with what was theirs."""
    pair.call("mover", "GET", "/auth/current-user/profile-info/", note=note)
    for path in ("/project/", "/task/", "/task/$mt1/", "/task-group/", "/project/$mp/workflow/$mw/"):
        pair.call("mover", "GET", path, note=note)
    pair.call("mover", "PATCH", "/task/$mt1/", json={"category": "c"}, note=note)
    pair.call("mover", "PATCH", "/project/$mp/workflow/$mw/wftask/$mwt/", json={"alias": "a"}, note=note)
    pair.call("mover", "GET", "/project/$mp/workflow/$mw/version-update-candidates/", note=note)
    which: dict[str, Any] = {"workflow_id": "$mw", "dataset_id": "$md"}
    pair.call("mover", "POST", "/project/$mp/job/submit/", params=which, json={}, note=note)
    pair.call("mover", "POST", "/project/$mp/job/submit/", params=which | {"workflow_id": 98765}, json={}, note=note)
    flow = {"name": note, "task_list": [{"task": {"pkg_name": "moved", "version": "1", "name": "moved"}}]}
    pair.call("mover", "POST", "/project/$mp/workflow/import/", json=flow, note=note)


def invalid(pair: Pair) -> None:
    """Without a profile nothing is read; the owner's is looked at for what administrators do."""
    pair.call("admin", "PATCH", "/auth/users/$mover/", json={"profile_id": None})
    pair.call("mover", "GET", "/project/", note="no profile")
    pair.call("mover", "POST", "/project/", json={"name": "x"}, note="no profile")
    pair.call("mover", "GET", "/auth/current-user/profile-info/", note="no profile")
    for who in ("$mover", "$guest"):
        pair.call("admin", "PATCH", f"{A}/project/$mp/", params={"user_id": who}, note=who)
    pair.call("admin", "PATCH", f"{A}/project/$mp/", params={"user_id": "$u1"}, note="of somebody without profile")
    pair.call("admin", "PATCH", "/auth/users/$mover/", json={"profile_id": "$profile"})
    pair.call("admin", "PATCH", "/auth/users/$u1/", json={"project_dirs": ["$shared/u1", "$shared/u1-more", "$shared"]})
    pair.call("admin", "PATCH", f"{A}/project/$mp/", params={"user_id": "$u1"}, note="done")
    pair.call("mover", "GET", "/project/$mp/", note="handed over")
    pair.call("u1", "GET", "/project/$mp/access/", note="handed over")
    pair.call("admin", "GET", f"{A}/linkuserproject/", params={"project_id": "$mp"}, note="handed over")
    pair.call("admin", "GET", f"{A}/project/", params={"project_id": "$mp"}, note="handed over")
