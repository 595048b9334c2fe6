"""History of the jobs before, statuses of images, logs, questions before a submission."""

from ..pair import Pair

BASE = "/project/$jp/status/"
STATUS = "__wftask_dataset_image_status__"


def run(pair: Pair) -> None:
    for side in (pair.theirs, pair.ours):
        workflow = side.people["u1"].get(side.filled("/api/v2/project/$jp/workflow/$jw/")).json()
        side.variables |= {f"h{number}": task["id"] for number, task in enumerate(workflow["task_list"])}
    which = {"dataset_id": "$jd", "workflowtask_id": "$h0"}
    pair.call("u1", "GET", BASE + "run/", params=which)
    for side in (pair.theirs, pair.ours):
        runs = side.people["u1"].get(side.filled("/api/v2" + BASE + "run/"), params=side.filled(which)).json()
        side.variables |= {f"run{number}": run["id"] for number, run in enumerate(runs)}
        url = side.filled("/api/v2" + BASE + "run/$run0/units/")
        units = side.people["u1"].get(url, params=side.filled(which)).json()["items"]
        side.variables |= {f"unit{number}": unit["id"] for number, unit in enumerate(units)}
    wrong = [
        {},
        {"dataset_id": "$jd"},
        {"dataset_id": 98765, "workflowtask_id": "$h0"},
        {"dataset_id": "$jd", "workflowtask_id": 98765},
        {"dataset_id": "$id", "workflowtask_id": "$h0"},
        {"dataset_id": "$jd", "workflowtask_id": "$wt_par"},
        {"dataset_id": "$jd", "workflowtask_id": "$h2"},
    ]
    units = BASE + "run/$run0/units/"
    for params in [which, *wrong]:
        for who in ("u1", "u2"):
            pair.call(who, "GET", BASE + "run/", params=params, note=str(params))
            pair.call(who, "GET", units, params=params, note=str(params))
            pair.call(who, "POST", BASE + "images/", params=params, json={}, note=str(params))
            pair.call(who, "POST", BASE + "image-log/", json=params | {"zarr_url": "$zjd/0"}, note=str(params))
            log = params | {"history_run_id": "$run0", "history_unit_id": "$unit0"}
            pair.call(who, "GET", BASE + "unit-log/", params=log, note=str(params))
    for params in (
        {"unit_status": "done"},
        {"unit_status": "failed"},
        {"unit_status": "unset"},
        {"unit_status": "x"},
        {"page": 2, "page_size": 1},
        {"page": 9, "page_size": 1},
        {"page": 0},
        {"page": 2},
    ):
        pair.call("u1", "GET", units, params=which | params, note=str(params))
        pair.call("u1", "POST", BASE + "images/", params=which | params, json={}, note=str(params))
    pair.call("u1", "GET", BASE + "run/98765/units/", params=which)
    for body in (
        None,
        {"attribute_filters": {STATUS: ["done"]}},
        {"attribute_filters": {STATUS: ["unset"]}},
        {"attribute_filters": {STATUS: ["done", "failed"], "n": [0]}},
        {"attribute_filters": {STATUS: ["nonsense"]}},
        {"attribute_filters": {STATUS: [1]}},
        {"type_filters": {"3D": True}},
        {"type_filters": None},
    ):
        for number in range(3):
            params = {"dataset_id": "$jd", "workflowtask_id": f"$h{number}"}
            pair.call(
                "u1",
                "POST",
                BASE + "images/",
                params=params | {"include_warnings": True},
                json=body,
                note=f"{number} {body}",
            )
            images = "/project/$jp/dataset/$jd/images/"
            pair.call("u1", "POST", images + "verify-unique-types/", params=params, json=body, note=f"{number} {body}")
            more = {"workflow_id": "$jw", **params}
            pair.call("u1", "POST", images + "non-processed/", params=more, json=body, note=f"{number} {body}")
    for params in (
        {"workflow_id": "$jw", "workflowtask_id": 98765},
        {"workflow_id": 98765, "workflowtask_id": "$h1"},
        {"workflow_id": "$jw"},
    ):
        for dataset in ("$jd", "98765"):
            path = f"/project/$jp/dataset/{dataset}/images/"
            pair.call("u1", "POST", path + "non-processed/", params=params, json={}, note=str(params))
            pair.call("u1", "POST", path + "verify-unique-types/", params=params, json={}, note=str(params))
    pair.call("u2", "POST", "/project/$jp/dataset/$jd/images/verify-unique-types/", params={"workflowtask_id": 1})
    for change in (
        {"history_unit_id": 98765},
        {"history_run_id": 98765},
        {"history_run_id": "$run1"},
        {"history_run_id": "$run1", "history_unit_id": 98765},
    ):
        params = which | {"history_run_id": "$run0", "history_unit_id": "$unit0"} | change
        pair.call("u1", "GET", BASE + "unit-log/", params=params, note=str(change))
    pair.call("u1", "POST", BASE + "image-log/", json=which | {"zarr_url": "/nothing"})
    pair.call("u1", "POST", BASE + "image-log/", json={})
    deletions(pair, which)


def deletions(pair: Pair, which: dict) -> None:
    """What is left when parts of what a job used are gone."""
    pair.call("u1", "DELETE", "/project/$jp/dataset/$jd/images/", params={"zarr_url": "$zjd/0"})
    pair.call("u1", "POST", BASE + "images/", params=which, json={}, note="after an image's deletion")
    pair.call("u1", "DELETE", "/project/$jp/workflow/$jw/wftask/$h0/")
    pair.call("u1", "GET", BASE + "run/", params=which, note="after the workflow task's deletion")
    pair.call(
        "u1",
        "GET",
        "/project/$jp/latest-job/",
        params={"workflow_id": "$jw", "dataset_id": "$jd"},
        note="after deletion",
    )
    pair.call("u1", "DELETE", "/project/$jp/workflow/$jw/")
    pair.call("u1", "GET", "/project/$jp/job/$job1/", note="after the workflow's deletion")
    pair.call("u1", "DELETE", "/project/$jp/dataset/$jd/")
    pair.call("u1", "GET", "/project/$jp/job/$job1/", note="after the dataset's deletion")
    pair.call("u1", "GET", "/project/$jp/job/$job1/download/", note="after the dataset's deletion")
