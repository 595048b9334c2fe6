"""Several versions of one package, of several people: what is offered, chosen, replaced, and kept by templates."""

from typing import Any

from ..pair import Pair

SCHEMA = {"type": "object", "properties": {"z": {"type": "integer"}, "a": {}}}
NAME = "versioned"
BASE = "/project/$vp/workflow/$vw/"


def run(pair: Pair) -> None:
    pair.call("u1", "POST", "/project/", json={"name": "Versions"}, save="vp")
    pair.call("u1", "POST", "/project/$vp/workflow/", json={"name": "w", "description": "d"}, save="vw")
    made(pair)
    offered(pair)
    replaced(pair)
    imported(pair)
    templates(pair)
    preferred(pair)


def made(pair: Pair) -> None:
    """Tasks of u1 and of u2, with and without schemas, of many types."""
    for number, (version, fields) in enumerate(
        (
            ("1.0", {"meta_parallel": {"cpus": 1, "mem": 2, "time": 3}}),
            ("1.10", {"meta_parallel": {"cpus": 4, "mem": 4, "gpu": 1}}),
            ("1.9", {}),
            ("2.0rc1", {"args_schema_parallel": {}}),
            ("2.0.dev1", {"input_types": {"3D": True}}),
            ("weird", {}),
            ("1.5", {"args_schema_parallel": None}),
            ("0.1", {"type": "compound", "command_non_parallel": "c", "args_schema_non_parallel": SCHEMA}),
            ("3", {"type": "compound", "command_non_parallel": "c"}),
            ("3.1", {"type": "converter_compound", "command_non_parallel": "c"}),
        )
    ):
        body = {"name": NAME, "version": version, "command_parallel": "c", "args_schema_parallel": SCHEMA} | fields
        pair.call("u1", "POST", "/task/", json=body, save=f"v{number}", note=version)
    body = {"name": NAME, "version": "1.20", "command_parallel": "c", "args_schema_parallel": SCHEMA}
    pair.call("u2", "POST", "/task/", json=body, save="v_u2")
    pair.call("u2", "POST", "/task/", json=body | {"version": "9"}, params={"private": True}, save="v_hidden")
    pair.call("u2", "POST", "/task/", json=body | {"version": "1.9"}, params={"private": True}, save="v_again")
    for params in ({}, {"only_owner": True}, {"only_active": True}):
        pair.call("u1", "GET", "/task-group/", params=params, note=str(params))
        pair.call("u2", "GET", "/task-group/", params=params, note=str(params))


def offered(pair: Pair) -> None:
    items: list[dict[str, Any]] = [{"task_id": f"$v{number}"} for number in (0, 1, 5, 6, 7, 3)]
    items[0] |= {"meta_parallel": {"cpus": 9, "mine": True}, "args_parallel": {"z": 1, "a": 2}, "alias": "A"}
    pair.call("u1", "POST", f"{BASE}wftask/", json=items)
    for side in (pair.theirs, pair.ours):
        body = side.people["u1"].get(side.filled(f"/api/v2{BASE}")).json()
        side.variables |= {f"vt{number}": task["id"] for number, task in enumerate(body["task_list"])}
        for number, task in enumerate(body["task_list"]):
            side.normaliser.remember(f"vt{number}", task["id"])
    pair.call("u1", "GET", f"{BASE}version-update-candidates/")
    pair.pick("u1", "/task/$v1/", "vg1", lambda body: body["taskgroupv2_id"])
    pair.call("u1", "POST", "/task-group/$vg1/deactivate/")
    pair.call("u1", "GET", f"{BASE}version-update-candidates/", note="one is inactive")


def replaced(pair: Pair) -> None:
    replace = f"{BASE}wftask/replace-task/"
    for item, task, body in (
        ("$vt0", "$v1", {}),
        ("$vt0", "$v_hidden", {}),
        ("$vt0", "$v7", {}),
        ("$vt0", "$v2", {"args_parallel": {" k ": 1, "zarr_url": "/x"}}),
        ("$vt0", "$v2", {"args_non_parallel": {}}),
        ("$vt0", "$v_u2", {"args_parallel": None, "x": 1}),
        ("$vt0", "$v0", {"args_parallel": {}}),
        ("$vt4", "$v9", {"args_non_parallel": {"a": 1}}),
        ("$vt4", "$v8", {}),
        ("$vt1", "$v0", {"args_parallel": [1]}),
    ):
        query = {"workflow_task_id": item, "task_id": task}
        pair.call("u1", "POST", replace, params=query, json=body, note=f"{item} {task} {body}")
    pair.call("u1", "PATCH", f"{BASE}wftask/$vt5/", json={"type_filters": {"3D": False}})
    query = {"workflow_task_id": "$vt5", "task_id": "$v4"}
    pair.call("u1", "POST", replace, params=query, json={}, note="incompatible")
    pair.call("u1", "POST", "/task-group/$vg1/reactivate/")
    pair.call("u1", "POST", replace, params={"workflow_task_id": "$vt0", "task_id": "$v1"}, json={}, note="active")
    pair.call("u1", "GET", BASE, note="replaced")
    pair.call("u1", "PATCH", "/task/$v3/", json={"input_types": {"3D": True}})
    pair.call("u1", "GET", f"{BASE}type-filters-flow/", note="contradictory")
    pair.call("u1", "PATCH", f"{BASE}wftask/$vt5/", json={"alias": "still"}, note="contradictory")
    pair.call("u1", "PATCH", f"{BASE}wftask/$vt5/", json={"type_filters": {}})
    pair.call("u1", "GET", f"{BASE}type-filters-flow/")


def imported(pair: Pair) -> None:
    def task(version: str | None, **fields: Any) -> dict[str, Any]:
        return {"task": {"pkg_name": NAME, "version": version, "name": NAME}} | fields

    both = {"attributes": {}, "types": {"3D": True}}
    for number, items in enumerate(
        (
            [task("1.0"), task("9.9"), task(None), task("zzz"), task("aaa"), {"task": {"pkg_name": "x", "name": "y"}}],
            [task("9")],
            [task("1.20"), task("1.9")],
            [task("2.0.dev1", type_filters={"3D": False})],
            [task("1.0", args_non_parallel={"a": 1}, meta_non_parallel={})],
            [task("1.0", meta_parallel={"cpus": 7, "new": 1}, alias=" al ", description="d")],
            [task("1.0", input_filters=both), task("1.0", input_filters=None)],
            [task("1.0", input_filters=both, type_filters={})],
            [task("1.0", input_filters=both | {"attributes": {"a": 1}})],
            [task("1.0", input_filters={"attributes": {}})],
            [task("1.0", type_filters=None)],
            [task("1.0", type_filters={"a": "yes"})],
            [task("1.0", type_filters={"a": "x"}), task("1.0", alias="")],
            [task("1.0", args_parallel={"": 1})],
            [{}],
            [{"task": None}],
            [{"task": {"pkg_name": NAME, "version": "", "name": " "}}],
            [{"task": {"pkg_name": NAME, "version": "1.0", "name": NAME, "id": 1}}],
        )
    ):
        flow = {"name": f"imported {number}", "task_list": items}
        pair.call("u1", "POST", "/project/$vp/workflow/import/", json=flow, note=str(items)[:120])
    pair.call("u2", "POST", "/project/", json={"name": "Versions too"}, save="vp2")
    for number, version in enumerate(("1.0", "1.9", "9")):
        flow = {"name": f"imported {number}", "task_list": [task(version)]}
        pair.call("u2", "POST", "/project/$vp2/workflow/import/", json=flow, note=version)
    pair.call("u1", "GET", "/project/$vp/workflow/", note="imported")


def templates(pair: Pair) -> None:
    body = {"name": "Versions", "version": 1, "description": "d"}
    which = {"workflow_id": "$vw"}
    pair.call("u1", "POST", "/workflow-template/", params=which, json=body, save="vtm")
    pair.call("u1", "PATCH", "/workflow-template/$vtm/", json={"user_group_id": 1})
    for who, project in (("u1", "$vp"), ("u2", "$vp2"), ("u2", "$vp")):
        for number, override in enumerate(({}, {"0": "1.0", "-1": "1.9"}, {"0": "0.0"}, {"7": "1"}, {"-7": "1"})):
            used = {"name": f"used {number}", "override_versions": override}
            path = f"/project/{project}/workflow/import-from-template/"
            query = {"template_id": "$vtm"}
            pair.call(who, "POST", path, params=query, json=used, note=f"{project} {override}")
    pair.call("u1", "GET", "/workflow-template/$vtm/", note="used")
    pair.call("u2", "GET", "/workflow-template/", params={"name": "version"})
    pair.call("u2", "PATCH", "/workflow-template/$vtm/", json={"description": "x"})
    item = {"task": {"pkg_name": "nowhere", "version": "1", "name": "x"}}
    for number, (data, change) in enumerate(
        (
            ({"name": "w", "task_list": [item]}, {}),
            ({"name": "w", "task_list": [item | {"type_filters": {"a": True}}]}, {}),
            ({"name": "w", "task_list": []}, {}),
            ({"name": "w", "task_list": [item | {"input_filters": None, "type_filters": {}}]}, {}),
            ({"name": "", "task_list": [item]}, {}),
            ({"name": "w", "task_list": [item], "x": 1}, {}),
            ({"name": "w", "task_list": [item | {"type_filters": {}}]}, {"version": 0}),
            ({"name": "w", "task_list": [item | {"type_filters": {}}]}, {"description": ""}),
        )
    ):
        import_ = {"name": f"brought {number}", "version": 1, "data": data} | change
        pair.call("u2", "POST", "/workflow-template/import/", json=import_, note=str(import_)[:140])
    pair.call("u2", "GET", "/workflow-template/", params={"is_owner": True})
    data = {"name": "w", "task_list": [item | {"args_parallel": {"zarr_url": 1}, "type_filters": {}}]}
    import_ = {"name": "reserved", "version": 1, "data": data}
    pair.call("u2", "POST", "/workflow-template/import/", json=import_, note="reserved argument")


def preferred(pair: Pair) -> None:
    """Of one version in several groups the own one counts, then everybody's, then that of the oldest membership."""
    for number in (1, 2):
        pair.call("admin", "POST", "/auth/group/", json={"name": f"Lab {number}"}, save=f"lab{number}")
    for group, who in (("$lab2", "u1"), ("$lab1", "u1"), ("$lab1", "u2"), ("$lab2", "guest")):
        pair.call("admin", "POST", f"/auth/group/{group}/add-user/${who}/")
    body = {"name": "shared", "version": "1", "command_parallel": "c"}
    flow = {"task_list": [{"task": {"pkg_name": "shared", "version": "1", "name": "shared"}}]}

    def seen(note: str) -> None:
        pair.call("u1", "GET", "/task-group/", note=note)
        pair.call("guest", "GET", "/task-group/", note=note)
        pair.call("u1", "POST", "/project/$vp/workflow/import/", json=flow | {"name": note}, note=note)

    pair.call("u2", "POST", "/task/", json=body, params={"user_group_id": "$lab1"}, save="s_lab1")
    pair.call("u2", "POST", "/task/", json=body, params={"user_group_id": "$lab2"}, note="not a member")
    pair.call("u1", "POST", "/task/", json=body, params={"user_group_id": "$lab1"}, note="taken by the group")
    seen("of one lab")
    pair.call("u1", "POST", "/task/", json=body, params={"private": True}, save="s_own")
    seen("own")
    pair.pick("u1", "/task/$s_own/", "sg_own", lambda body: body["taskgroupv2_id"])
    for group in ("$lab1", "$lab2", None, "1"):
        pair.call("u1", "PATCH", "/task-group/$sg_own/", json={"user_group_id": group}, note=str(group))
    pair.call("admin", "PATCH", "/admin/v2/task-group/$sg_own/", json={"user_group_id": "$lab2"}, note="no member")
    pair.call("u1", "POST", "/task-group/$sg_own/deactivate/")
    pair.call("u1", "GET", "/task-group/", params={"only_active": True}, note="the own one is inactive")
    pair.call("admin", "POST", "/auth/users/$u1/set-groups/", json={"group_ids": [1]})
    seen("without the lab")
    pair.call("admin", "DELETE", "/auth/group/$lab1/")
    pair.call("u2", "GET", "/task/$s_lab1/", note="its lab is gone")
    pair.call("u1", "GET", "/task/$s_lab1/", note="its lab is gone")
