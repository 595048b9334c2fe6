"""Manual and custom tasks, task groups."""

from ..pair import Pair

PARALLEL = {"name": "A par", "version": "1.0.0", "command_parallel": "python3 /x/par.py"}
BAD = [
    {},
    {"name": "x"},
    {"name": "", "command_parallel": "x"},
    {"name": "x", "version": "1", "command_parallel": ""},
    {"name": "x", "version": "1", "command_parallel": "x; rm"},
    {"name": "x", "version": "1", "command_non_parallel": "x", "type": "parallel"},
    {"name": "x", "version": "1", "command_parallel": "x", "type": "compound"},
    {"name": "x", "version": "1", "command_parallel": "x", "type": "nothing"},
    {"name": "x", "version": "1", "command_parallel": "x", "meta_non_parallel": {"a": 1}},
    {"name": "x", "version": "1", "command_non_parallel": "x", "meta_parallel": {"a": 1}},
    {"name": "x", "version": "1", "command_parallel": "x", "args_schema_non_parallel": {"a": 1}},
    {"name": "x", "version": "1", "command_parallel": "x", "args_schema_parallel": {"a": 1}},
    {"name": "x", "version": "1", "command_parallel": "x", "docs_link": "nothing"},
    {"name": "x", "version": "1", "command_parallel": "x", "tags": ["a", "a"]},
    {"name": "x", "version": "1", "command_parallel": "x", "tags": ["a", ""]},
    {"name": "x", "version": "1", "command_parallel": "x", "input_types": {"a": "b"}},
    {"name": "x", "version": "1", "command_parallel": "x", "input_types": {"a": True, " a": True}},
    {"name": "x", "command_parallel": "x", "version": ""},
    {"name": "x", "version": "1", "command_parallel": "x", "unknown": 1},
    {"name": "x", "version": "1", "command_parallel": "x", "category": ""},
]
MANIFEST = {
    "manifest_version": "2",
    "has_args_schemas": False,
    "task_list": [
        {"name": "From manifest", "executable_parallel": "par.py", "tags": ["t"], "category": "c", "modality": "m"},
        {"name": "Both", "executable_parallel": "p.py", "executable_non_parallel": "n.py", "type": "compound"},
    ],
    "authors": "somebody",
}


def run(pair: Pair) -> None:
    pair.call("u1", "POST", "/task/", json=PARALLEL, save="t_par")
    pair.call("u1", "POST", "/task/", json=PARALLEL, note="again")
    more = {
        "t_np": {
            "name": "B np",
            "command_non_parallel": "python3 /x/np.py",
            "version": "1",
            "output_types": {"x": True},
        },
        "t_comp": {
            "name": "C comp",
            "version": "1",
            "command_non_parallel": "i",
            "command_parallel": "c",
            "meta_parallel": {"m": 1, "a": 2},
        },
        "t_conv": {"name": "D conv", "command_non_parallel": "i", "type": "converter_non_parallel", "version": "1"},
        "t_types": {
            "name": "E types",
            "command_parallel": "c",
            "input_types": {"3D": True},
            "output_types": {"raw": False},
            "version": "1",
        },
    }
    for name, body in more.items():
        pair.call("u1", "POST", "/task/", json=body, save=name)
    private = {"name": "F private", "command_parallel": "c", "version": "2"}
    pair.call("u1", "POST", "/task/", json=private, params={"private": True}, save="t_private")
    pair.call("u1", "POST", "/task/", json=private | {"name": "G"}, params={"private": True, "user_group_id": 1})
    pair.call("u1", "POST", "/task/", json=private | {"name": "G"}, params={"user_group_id": 98765})
    pair.call("u2", "POST", "/task/", json={"name": "of u2", "version": "1", "command_parallel": "c"}, save="t_u2")
    for body in BAD:
        pair.call("u1", "POST", "/task/", json=body, note=str(body))
    pair.call("guest", "POST", "/task/", json=PARALLEL)
    for who in ("u1", "u2", "guest"):
        pair.call(who, "GET", "/task/$t_par/")
        pair.call(who, "GET", "/task/$t_private/")
        pair.call(who, "GET", "/task/")
    pair.call("u1", "GET", "/task/98765/")
    for params in (
        {"args_schema": False},
        {"name": "par"},
        {"category": "c"},
        {"author": "SOME"},
        {"version": "1"},
        {"name": "_"},
        {"task_type": "parallel"},
        {"task_type": "x"},
        {"is_core": True},
        {"resource_id": 1},
    ):
        pair.call("u1", "GET", "/task/", params=params, note=str(params))
    patches = [
        {},
        {"command_parallel": "new"},
        {"command_non_parallel": "new"},
        {"command_parallel": None},
        {"input_types": {"y": True}},
        {"category": None},
        {"tags": []},
        {"tags": ["a", "a"]},
        {"name": "x"},
        {"version": "9"},
        {"output_types": None},
        {"modality": " m "},
    ]
    for body in patches:
        pair.call("u1", "PATCH", "/task/$t_par/", json=body, note=str(body))
    pair.call("u1", "PATCH", "/task/$t_par/", json={"input_types": {}})
    pair.call("u2", "PATCH", "/task/$t_par/", json={"category": "x"})
    pair.call("u1", "PATCH", "/task/98765/", json={"category": "x"})
    for path in ("$t_par", "98765"):
        pair.call("u1", "DELETE", f"/task/{path}/")
    pair.call("guest", "DELETE", "/task/$t_par/")
    custom = {
        "manifest": MANIFEST,
        "python_interpreter": "$python",
        "label": "lab",
        "package_root": "/",
        "version": "1",
    }
    wrong = [
        {},
        {"manifest": {}},
        {"manifest": MANIFEST | {"manifest_version": "1"}},
        {"manifest": MANIFEST | {"task_list": MANIFEST["task_list"] * 2}},
        {"manifest": MANIFEST | {"has_args_schemas": True}},
        {"python_interpreter": "/nothing"},
        {"python_interpreter": "python"},
        {"package_root": "/nothing"},
        {"package_root": None},
        {"package_name": "both"},
        {"package_root": None, "package_name": "surely_not_installed"},
        {"version": ""},
        {"label": ""},
    ]
    for change in wrong:
        pair.call(
            "u1", "POST", "/task/collect/custom/", json={**custom, **change} if change else {}, note=str(change)[:80]
        )
    pair.call("guest", "POST", "/task/collect/custom/", json=custom)
    groups(pair)


def groups(pair: Pair) -> None:
    pair.pick("u1", "/task/$t_par/", "g_par", lambda body: body["taskgroupv2_id"])
    pair.pick("u1", "/task/$t_private/", "g_private", lambda body: body["taskgroupv2_id"])
    for params in ({}, {"only_owner": True}, {"only_active": True}, {"args_schema": False}, {"only_active": "x"}):
        pair.call("u1", "GET", "/task-group/", params=params, note=str(params))
        pair.call("u2", "GET", "/task-group/", params=params, note=str(params))
    for who in ("u1", "u2", "guest", "nobody"):
        pair.call(who, "GET", "/task-group/$g_par/")
        pair.call(who, "GET", "/task-group/$g_private/")
    pair.call("u1", "GET", "/task-group/98765/")
    for body in (
        {},
        {"user_group_id": None},
        {"user_group_id": 1},
        {"user_group_id": 98765},
        {"x": 1},
        {"active": False},
    ):
        pair.call("u1", "PATCH", "/task-group/$g_par/", json=body, note=str(body))
        pair.call("u2", "PATCH", "/task-group/$g_par/", json=body, note=str(body))
    for verb in ("deactivate", "reactivate", "delete"):
        pair.call("u2", "POST", f"/task-group/$g_par/{verb}/")
        pair.call("guest", "POST", f"/task-group/$g_par/{verb}/")
        pair.call("u1", "POST", f"/task-group/98765/{verb}/")
    pair.call("u1", "POST", "/task-group/$g_private/reactivate/", note="active")
    pair.call("u1", "POST", "/task-group/$g_private/deactivate/")
    pair.call("u1", "POST", "/task-group/$g_private/deactivate/", note="inactive")
    pair.call("u1", "GET", "/task-group/$g_private/")
    pair.call("u1", "GET", "/task-group/activity/")
    pair.call("u1", "GET", "/task-group/activity/", params={"status": "OK", "action": "deactivate", "pkg_name": "f"})
    pair.call("u1", "GET", "/task-group/activity/", params={"status": "x"})
    pair.call("u1", "GET", "/task-group/activity/98765/")
    pair.pick("u1", "/task-group/activity/", "activity", lambda body: body[-1]["id"])
    pair.call("u1", "GET", "/task-group/activity/$activity/")
    pair.call("u2", "GET", "/task-group/activity/$activity/")
    pair.call("u1", "POST", "/task-group/$g_private/reactivate/")
    for form in (
        {},
        {"package": ""},
        {"package": "x;y"},
        {"package": "no-such-package-of-fractal"},
        {"package": "x", "python_version": "2.7"},
        {"package": "x", "pinned_package_versions_pre": "[1]"},
        {"package": "x", "pinned_package_versions_pre": "nonsense"},
    ):
        for who in ("u1", "guest", "nobody"):
            pair.call(who, "POST", "/task/collect/pip/", data=form, note=str(form))
    wheel = {"files": {"file": ("not_a_wheel.whl", b"x")}}
    pair.call("u1", "POST", "/task/collect/pip/", note="not a wheel", **wheel)
    pair.call("u1", "POST", "/task/collect/pixi/", note="not available", files={"file": ("a-1.tar.gz", b"x")})
