"""Workflow templates."""

from ..pair import Pair

BASE = "/workflow-template/"


def run(pair: Pair) -> None:
    body = {"name": "Tmpl", "version": 1}
    which = {"workflow_id": "$w1"}
    pair.call("u1", "POST", BASE, params=which, json=body, save="tm1")
    pair.call("u1", "POST", BASE, params=which, json=body, note="again")
    pair.call("u1", "POST", BASE, params=which | {"user_group_id": 1}, json=body | {"version": 3}, save="tm2")
    for params, change in (
        ({}, {}),
        ({"workflow_id": 98765}, {}),
        (which | {"user_group_id": 98765}, {"version": 4}),
        (which | {"user_group_id": 0}, {"version": 5}),
        (which, {"name": ""}),
        (which, {"version": 0}),
        (which, {"version": -1}),
        (which, {"version": None}),
        (which, {"version": 99999999999}),
        (which, {"name": "x", "description": ""}),
        (which, {"name": "with description", "description": " d ", "x": 1}),
    ):
        pair.call("u1", "POST", BASE, params=params, json=body | change, note=f"{params} {change}")
        pair.call("u2", "POST", BASE, params=params, json=body | change, note=f"{params} {change}")
    for params in (
        {},
        {"page_size": 1},
        {"page_size": 1, "page": 2},
        {"is_owner": True},
        {"user_email": "u1@example.org"},
        {"user_email": "x"},
        {"name": "tm"},
        {"version": 3},
        {"template_id": "$tm2"},
        {"page": 0},
    ):
        for who in ("u1", "u2", "guest"):
            pair.call(who, "GET", BASE, params=params, note=str(params))
    for path in ("$tm1", "$tm2", "98765"):
        for who in ("u1", "u2", "guest", "nobody"):
            pair.call(who, "GET", f"{BASE}{path}/")
            pair.call(who, "GET", f"{BASE}{path}/export/")
            pair.call(who, "PATCH", f"{BASE}{path}/", json={"description": "x"})
    for patch in (
        {},
        {"description": None},
        {"user_group_id": None},
        {"user_group_id": 1},
        {"user_group_id": 98765},
        {"name": "x"},
        {"x": 1},
    ):
        pair.call("u1", "PATCH", BASE + "$tm2/", json=patch, note=str(patch))
    exported = {}
    for side in (pair.theirs, pair.ours):
        exported = side.people["u1"].get(side.filled(f"/api/v2{BASE}$tm2/export/")).json()
    for change in ({}, {"version": 7}, {"name": None}, {"data": {}}, {"data": None}, {"name": "other", "x": 1}):
        pair.call("u1", "POST", BASE + "import/", json=exported | change, note=str(change))
    pair.call("u1", "POST", BASE + "import/", params={"user_group_id": 98765}, json=exported | {"version": 8})
    target = "/project/$wp/workflow/import-from-template/"
    for params, wanted in (
        ({"template_id": "$tm2"}, {"name": "from template"}),
        ({"template_id": "$tm2"}, {"name": "from template"}),
        ({"template_id": "$tm2"}, {"name": "from template 2", "override_versions": {"-1": "1.1.0"}}),
        ({"template_id": "$tm2"}, {"name": "from template 3", "override_versions": {"99": "1"}}),
        ({"template_id": "$tm2"}, {"name": "from template 4", "override_versions": {"x": "1"}}),
        ({"template_id": "$tm2"}, {"name": "from template 5", "description": "d"}),
        ({"template_id": "$tm2"}, {}),
        ({"template_id": 98765}, {"name": "x"}),
        ({}, {"name": "x"}),
    ):
        pair.call("u1", "POST", target, params=params, json=wanted, note=f"{params} {wanted}")
    pair.call("u2", "POST", target, params={"template_id": "$tm2"}, json={"name": "x"})
    pair.call("u1", "GET", "/project/$wp/workflow/")
    pair.call("u2", "DELETE", BASE + "$tm2/")
    pair.call("u1", "DELETE", BASE + "98765/")
    pair.call("u1", "DELETE", BASE + "$tm2/")
    pair.call("u1", "GET", "/project/$wp/workflow/", note="after the template's deletion")
