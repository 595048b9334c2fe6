"""Jobs over what earlier jobs left: filters by status, parts of workflows, other submitters, a closed resource."""

from typing import Any

from ..pair import Pair
from .jobs import job

STATUS = "__wftask_dataset_image_status__"
BASE = "/project/$jp/"


def run(pair: Pair) -> None:
    """After `jobs`, whose project, tasks and script it uses."""
    pair.call("u1", "POST", f"{BASE}dataset/", json={"name": "again"}, save="ra")
    pair.pick("u1", f"{BASE}dataset/$ra/", "zra", lambda body: body["zarr_dir"])
    for number in range(4):
        image = {"zarr_url": f"${{zra}}/{number}", "attributes": {"n": number, "odd": number % 2 == 1}, "types": {}}
        pair.call("u1", "POST", f"{BASE}dataset/$ra/images/", json=image | {"types": {"3D": number < 3}})
    pair.call("u1", "POST", f"{BASE}workflow/", json={"name": "reruns"}, save="rw")
    made = {"image_list_updates": [{"zarr_url": "ZARR/made", "origin": "ZARR/0", "types": {"new": True}}]}
    tasks = [
        {"task_id": "$j_par", "args_parallel": {"fail_on": ["1"], "warn": True}},
        {"task_id": "$j_np", "args_non_parallel": {"outputs": {"*": made}}},
        {"task_id": "$j_out"},
    ]
    pair.call("u1", "POST", f"{BASE}workflow/$rw/wftask/", json=tasks)
    for side in (pair.theirs, pair.ours):
        body = side.people["u1"].get(side.filled(f"/api/v2{BASE}workflow/$rw/")).json()
        for number, task in enumerate(body["task_list"]):
            side.variables[f"rt{number}"] = task["id"]
            side.normaliser.remember(f"rt{number}", task["id"])
    by_status(pair)
    others(pair)
    closed(pair)
    deleted(pair)


def seen(pair: Pair, note: str) -> None:
    for number in range(3):
        which = {"dataset_id": "$ra", "workflowtask_id": f"$rt{number}"}
        pair.call("u1", "GET", f"{BASE}status/run/", params=which, note=f"{note} {number}")
        body: dict[str, Any] = {"attribute_filters": {}}
        query = which | {"include_warnings": True}
        pair.call("u1", "POST", f"{BASE}status/images/", params=query, json=body, note=f"{note} {number}")
        query = {"workflow_id": "$rw", "workflowtask_id": f"$rt{number}"}
        path = f"{BASE}dataset/$ra/images/non-processed/"
        pair.call("u1", "POST", path, params=query, json={}, note=f"{note} {number}")
        query = {"workflowtask_id": f"$rt{number}"}
        path = f"{BASE}dataset/$ra/images/verify-unique-types/"
        for filters in ({}, {"attribute_filters": {STATUS: ["done"]}}, {"type_filters": {"new": False}}):
            pair.call("u1", "POST", path, params=query, json=filters, note=f"{note} {number} {filters}")


def by_status(pair: Pair) -> None:
    first: dict[str, Any] = {"last_task_index": 0}
    for number, body in enumerate(
        (
            first,
            first | {"attribute_filters": {STATUS: ["failed"]}},
            first | {"attribute_filters": {STATUS: ["unset"]}},
            first | {"attribute_filters": {STATUS: ["done", "failed"], "odd": [True]}},
            first | {"attribute_filters": {"odd": [1]}},
            first | {"attribute_filters": {STATUS: ["nonsense"]}},
            first | {"attribute_filters": {STATUS: [True]}},
            {"first_task_index": 1, "last_task_index": 1, "attribute_filters": {STATUS: ["unset"]}},
            {"first_task_index": 1, "attribute_filters": {STATUS: ["unset", "done"]}},
            {"first_task_index": 2, "type_filters": {"new": False}},
            {"first_task_index": 2, "attribute_filters": {STATUS: ["done"]}},
        )
    ):
        # A filter by status leaves the reference's images in any order, and with them all that follow.
        job(pair, f"rj{number}", "rw", "ra", body, any_order=True)
        if number in (0, 1, 6, 10):
            seen(pair, f"after {number}")
    pair.call("u1", "PATCH", f"{BASE}workflow/$rw/wftask/$rt0/", json={"args_parallel": {}})
    job(pair, "rj_all", "rw", "ra", {}, any_order=True)
    seen(pair, "after all")
    pair.call("u1", "DELETE", f"{BASE}dataset/$ra/images/", params={"zarr_url": "$zra/0"})
    seen(pair, "an image less")
    pair.call("u1", "PATCH", f"{BASE}workflow/$rw/", json={"reordered_workflowtask_ids": ["$rt2", "$rt0", "$rt1"]})
    seen(pair, "in another order")
    query = {"workflow_id": "$rw", "dataset_id": "$ra"}
    pair.call("u1", "GET", f"{BASE}latest-job/", params=query, note="in another order")


def others(pair: Pair) -> None:
    """Guests of the project: what each permission is enough for."""
    query = {"workflow_id": "$rw", "dataset_id": "$ra"}
    pair.call("u1", "POST", f"{BASE}guest/", params={"email": "u2@example.org"}, json={"permissions": "r"})
    for permissions in (None, "r", "rw", "rwx"):
        if permissions == "r":
            pair.call("u2", "POST", f"{BASE}access/accept/")
        if permissions:
            body = {"permissions": permissions}
            pair.call("u1", "PATCH", f"{BASE}guest/", params={"email": "u2@example.org"}, json=body)
        note = f"with {permissions}"
        pair.call("u2", "POST", f"{BASE}job/submit/", params=query, json={"last_task_index": 99}, note=note)
        pair.call("u2", "GET", f"{BASE}job/", params={"log": False}, note=note)
        pair.call("u2", "GET", f"{BASE}latest-job/", params=query, note=note)
        pair.call("u2", "GET", f"{BASE}workflow/$rw/", note=note)
        pair.call("u2", "PATCH", f"{BASE}workflow/$rw/", json={"description": note}, note=note)
        pair.call("u2", "POST", f"{BASE}dataset/$ra/images/query/", note=note, any_order=True)
        pair.call("u2", "PATCH", f"{BASE}dataset/$ra/images/", json={"zarr_url": "$zra/1", "types": {"3D": True}})
        pair.call("u2", "POST", "/workflow-template/", params={"workflow_id": "$rw"}, json={"name": note, "version": 1})
        pair.call("u2", "GET", "/dataset/", params={"dataset_name": "again"}, note=note)
        pair.call("u2", "DELETE", BASE, note=note)
    pair.call("u2", "DELETE", f"{BASE}access/")
    pair.call("u2", "GET", f"{BASE}job/", note="left")


def closed(pair: Pair) -> None:
    """The resource takes no more submissions."""
    for closing in (True, False):
        for side in (pair.theirs, pair.ours):
            path = side.filled("/admin/v2/resource/$default_resource/")
            resource = side.people["admin"].get(path).json()
            body = {key: value for key, value in resource.items() if key not in ("id", "timestamp_created")}
            body["prevent_new_submissions"] = closing
            side.people["admin"].put(path, json=body).raise_for_status()
        if closing:
            query = {"workflow_id": "$rw", "dataset_id": "$ra"}
            for body in ({}, {"slurm_account": "x"}, {"last_task_index": 9}):
                pair.call("u1", "POST", f"{BASE}job/submit/", params=query, json=body, note=f"closed {body}")
    job(pair, "r_open", "rw", "ra", {"last_task_index": 0}, any_order=True)


def deleted(pair: Pair) -> None:
    """What is left of jobs whose workflow task, dataset, workflow is gone."""
    pair.call("u1", "DELETE", f"{BASE}workflow/$rw/wftask/$rt0/")
    query = {"workflow_id": "$rw", "dataset_id": "$ra"}
    pair.call("u1", "GET", f"{BASE}latest-job/", params=query, note="a task less")
    which = {"dataset_id": "$ra", "workflowtask_id": "$rt0"}
    pair.call("u1", "GET", f"{BASE}status/run/", params=which, note="its task is gone")
    pair.call("u1", "DELETE", f"{BASE}dataset/$ra/")
    pair.call("u1", "GET", f"{BASE}job/$r_open/", note="its dataset is gone")
    pair.call("u1", "GET", f"{BASE}job/$r_open/download/", note="its dataset is gone")
    pair.call("u1", "GET", f"{BASE}latest-job/", params=query, note="its dataset is gone")
    pair.call("u1", "DELETE", f"{BASE}workflow/$rw/")
    pair.call("u1", "GET", f"{BASE}job/$r_open/", note="its workflow is gone")
    pair.call("u1", "GET", f"{BASE}job/$rj_all/", params={"show_tmp_logs": True}, note="its workflow is gone")
    pair.call("admin", "GET", "/admin/v2/job/", params={"id": "$r_open"}, note="its workflow is gone")
