"""Workflows and their tasks, export and import."""

from ..pair import Pair

WORKFLOW = "/project/$wp/workflow/$w1/"


def run(pair: Pair) -> None:
    pair.call("u1", "POST", "/project/", json={"name": "Flows"}, save="wp")
    base = "/project/$wp/workflow/"
    pair.call("u1", "POST", base, json={"name": " One "}, save="w1")
    pair.call("u1", "POST", base, json={"name": "Two", "description": " d "}, save="w2")
    for body in (
        {},
        {"name": "One"},
        {"name": ""},
        {"name": None},
        {"name": "a/b"},
        {"name": "x", "x": 1},
        {"name": "y", "description": ""},
    ):
        pair.call("u1", "POST", base, json=body, note=str(body))
        pair.call("u1", "PATCH", base + "$w2/", json=body, note=str(body))
    for who in ("u2", "guest", "nobody"):
        pair.call(who, "POST", base, json={"name": "x"})
        pair.call(who, "GET", base)
        pair.call(who, "GET", WORKFLOW)
        pair.call(who, "PATCH", WORKFLOW, json={"name": "x"})
        pair.call(who, "DELETE", WORKFLOW)
    pair.call("u1", "GET", base)
    pair.call("u1", "GET", base + "98765/")
    pair.call("u1", "POST", "/project/98765/workflow/", json={"name": "x"})
    for verb in ("star", "unstar", "star"):
        pair.call("u1", "POST", f"{base}$w2/{verb}/")
        pair.call("u2", "POST", f"{base}$w2/{verb}/")
    pair.call("u1", "GET", base, note="starred first")
    workflow_tasks(pair)
    order(pair)
    ports(pair)
    pair.call("u1", "DELETE", base + "$w2/")
    pair.call("u1", "DELETE", base + "$w2/")


def workflow_tasks(pair: Pair) -> None:
    base = WORKFLOW + "wftask/"
    pair.call("u1", "POST", base, json=[{"task_id": "$t_np"}], save="wt_np")
    pair.call(
        "u1",
        "POST",
        base,
        json=[{"task_id": "$t_par", "args_parallel": {}, "type_filters": {"q": True}}],
        save="wt_par",
    )
    meta = {"meta_parallel": {"a": 9, "b": 2}, "meta_non_parallel": {}, "alias": " al ", "description": "d"}
    pair.call("u1", "POST", base, params={"order": 1}, json=[{"task_id": "$t_comp", **meta}], save="wt_comp")
    pair.call(
        "u1",
        "POST",
        base,
        params={"order": 99},
        json=[{"task_id": "$t_types", "type_filters": {"3D": True}}],
        save="wt_types",
    )
    pair.call(
        "u1", "POST", base, params={"order": 0}, json=[{"task_id": "$t_conv"}, {"task_id": "$t_conv"}], save="wt_conv"
    )
    wrong = [
        [],
        {},
        [{}],
        [{"task_id": 98765}],
        [{"task_id": "$t_par"}, {"task_id": 98765}],
        [{"task_id": "$t_u2"}],
        [{"task_id": "$t_private"}],
        [{"task_id": "$t_par", "args_non_parallel": {}}],
        [{"task_id": "$t_par", "meta_non_parallel": {}}],
        [{"task_id": "$t_np", "args_parallel": {}}],
        [{"task_id": "$t_np", "meta_parallel": {}}],
        [{"task_id": "$t_conv", "args_parallel": {"a": 1}}],
        [{"task_id": "$t_types", "type_filters": {"3D": False}}],
        [{"task_id": "$t_par", "args_parallel": {"zarr_url": "x"}}],
        [{"task_id": "$t_par", "args_parallel": {"zarr_dir": 1, "init_args": 2}}],
        [{"task_id": "$t_par", "args_parallel": {" a": 1, "a": 2}}],
        [{"task_id": "$t_par", "alias": ""}],
        [{"task_id": "$t_par", "order": 1}],
        [{"task_id": None}],
        [{"task_id": 99999999999}],
    ]
    for body in wrong:
        pair.call("u1", "POST", base, json=body, note=str(body))
    pair.call("u1", "POST", base, params={"order": -1}, json=[{"task_id": "$t_par"}])
    pair.call("u2", "POST", base, json=[{"task_id": "$t_par"}])
    pair.call("u1", "GET", WORKFLOW)
    pair.call("u1", "GET", base + "$wt_par/")
    pair.call("u1", "GET", base + "98765/")
    pair.call("u2", "GET", base + "$wt_par/")
    patches = [
        ("$wt_par", {"args_parallel": {"a": 1}}),
        ("$wt_par", {"args_parallel": {"b": 2}}),
        ("$wt_par", {"args_parallel": {}}),
        ("$wt_par", {"args_parallel": None}),
        ("$wt_par", {"args_non_parallel": {"a": 1}}),
        ("$wt_par", {"args_non_parallel": {}}),
        ("$wt_par", {"args_non_parallel": None}),
        ("$wt_par", {"meta_parallel": {"m": 1}}),
        ("$wt_par", {"meta_parallel": {}}),
        ("$wt_par", {"meta_non_parallel": {"m": 1}}),
        ("$wt_par", {"type_filters": {"z": False}}),
        ("$wt_par", {"type_filters": None}),
        ("$wt_par", {"alias": "new", "description": None}),
        ("$wt_par", {"alias": ""}),
        ("$wt_par", {"task_id": 1}),
        ("$wt_par", {"args_parallel": {"zarr_urls": 1}}),
        ("$wt_np", {"args_parallel": {"a": 1}}),
        ("$wt_np", {"args_non_parallel": {"z": 1, "y": [1, {"x": None}]}}),
        ("$wt_conv", {"meta_parallel": {"a": 1}}),
        ("$wt_types", {"type_filters": {"3D": False}}),
        ("$wt_types", {"type_filters": {}}),
        ("98765", {}),
    ]
    for which, body in patches:
        pair.call("u1", "PATCH", f"{base}{which}/", json=body, note=f"{which} {body}")
    pair.call("u2", "PATCH", base + "$wt_par/", json={"alias": "x"})
    pair.call("u1", "GET", WORKFLOW + "type-filters-flow/")
    pair.call("u2", "GET", WORKFLOW + "type-filters-flow/")
    pair.call("u1", "GET", "/project/$wp/workflow/98765/type-filters-flow/")
    pair.call("u1", "GET", WORKFLOW + "version-update-candidates/")
    pair.call("u2", "GET", WORKFLOW + "version-update-candidates/")
    pair.call("u1", "DELETE", base + "98765/")
    pair.call("u2", "DELETE", base + "$wt_conv/")
    pair.call("u1", "DELETE", base + "$wt_conv/")
    pair.call("u1", "GET", WORKFLOW)


def order(pair: Pair) -> None:
    for side in (pair.theirs, pair.ours):
        body = side.people["u1"].get(side.filled("/api/v2" + WORKFLOW)).json()
        side.variables |= {f"o{number}": task["id"] for number, task in enumerate(body["task_list"])}
    orders = [
        ["$o4", "$o3", "$o2", "$o1", "$o0"],
        ["$o0", "$o1", "$o2", "$o3", "$o4"],
        ["$o0", "$o1"],
        ["$o0", "$o0", "$o1", "$o2", "$o3"],
        ["$o0", "$o1", "$o2", "$o3", 98765],
        [-1],
        [],
        None,
    ]
    for ids in orders:
        pair.call("u1", "PATCH", WORKFLOW, json={"reordered_workflowtask_ids": ids}, note=str(ids))
    pair.call("u1", "PATCH", WORKFLOW, json={"name": "One again", "description": "d"})
    pair.call("u1", "PATCH", WORKFLOW, json={"description": None})
    pair.call("u1", "PATCH", WORKFLOW, json={})


def ports(pair: Pair) -> None:
    for who in ("u1", "u2"):
        pair.call(who, "GET", WORKFLOW + "export/")
    pair.call("u1", "GET", "/project/$wp/workflow/98765/export/")
    imports = "/project/$wp/workflow/import/"
    task = {"pkg_name": "A par", "version": "1.0.0", "name": "A par"}
    good = {"name": "imported", "description": "d", "task_list": [{"task": task, "args_parallel": {"a": 1}}]}
    pair.call("u1", "POST", imports, json=good, save="w_imported")
    changes = [
        {},
        {"name": "imported 2", "task_list": [{"task": {"name": "A par"}}]},
        {"name": "imported 3", "task_list": [{"task": task | {"version": None}}]},
        {"name": "imported 4", "task_list": [{"task": task | {"version": "9"}}]},
        {"name": "imported 5", "task_list": [{"task": task | {"pkg_name": "nothing"}}]},
        {"name": "imported 6", "task_list": [{"task": task | {"pkg_name": "a_PAR"}}]},
        {"name": "imported 7", "task_list": []},
        {"name": "imported 8", "task_list": [{"task": task, "args_parallel": {"zarr_url": 1}}]},
        {
            "name": "imported 9",
            "task_list": [{"task": task, "input_filters": {"attributes": {}, "types": {"a": True}}}],
        },
        {"name": "imported 10", "task_list": [{"task": task, "input_filters": {}}]},
        {"name": "imported 11", "task_list": [{"task": {"source": "legacy"}}]},
        {"name": "imported 12", "task_list": None},
        {"name": "imported 13", "x": 1},
        {"name": ""},
    ]
    for change in changes:
        pair.call("u1", "POST", imports, json=good | change, note=str(change))
    pair.call("u2", "POST", imports, json=good)
    pair.call("u1", "POST", "/project/98765/workflow/import/", json=good)
    pair.call("u1", "GET", "/project/$wp/workflow/")
    replace = WORKFLOW + "wftask/replace-task/"
    for params, body in (
        ({"workflow_task_id": "$wt_par", "task_id": "$t_types"}, {}),
        ({"workflow_task_id": "$wt_par", "task_id": "$t_np"}, {}),
        ({"workflow_task_id": "$wt_par", "task_id": "$t_par"}, {"args_parallel": {"n": 1}}),
        ({"workflow_task_id": "$wt_par", "task_id": "$t_par"}, {"args_non_parallel": {"n": 1}}),
        ({"workflow_task_id": 98765, "task_id": "$t_par"}, {}),
        ({"workflow_task_id": "$wt_par", "task_id": 98765}, {}),
        ({"workflow_task_id": "$wt_par"}, {}),
        ({"workflow_task_id": "$wt_types", "task_id": "$t_types"}, None),
    ):
        pair.call("u1", "POST", replace, params=params, json=body, note=f"{params} {body}")
        pair.call("u2", "POST", replace, params=params, json=body, note=f"{params} {body}")
