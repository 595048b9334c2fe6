"""api §23: what the latest job says of every task of its workflow; §24: logs that outlive their folder."""

import shutil
from pathlib import Path
from typing import Any

from .puppet import Flow, Step

IMAGES = [{"zarr_url": name, "attributes": {"well": name}, "types": {"first": name == "a"}} for name in "abc"]


def statuses(flow: Flow) -> list[dict[str, Any] | None]:
    """Of the workflow's tasks, in their order."""
    path = f"/api/v2/project/{flow.project}/latest-job/"
    latest = flow.api.get(path, workflow_id=flow.workflow, dataset_id=flow.dataset)
    assert list(latest["task_statuses"]) == [str(one) for one in flow.workflowtasks]
    return list(latest["task_statuses"].values())


def counted(status: str, done: int, failed: int, available: int | None, *, warned: bool = False) -> dict[str, Any]:
    return {
        "status": status,
        "num_submitted_images": 0,
        "num_done_images": done,
        "num_failed_images": failed,
        "num_available_images": available,
        "has_warnings": warned,
    }


def test_an_empty_list_fails_the_run_and_leaves_the_counts_of_earlier_ones(flow: Any) -> None:
    one = flow(Step("parallel", exits={"b": 1}), Step("parallel"), images=IMAGES)
    assert one.run().job["status"] == "failed"
    assert statuses(one) == [counted("failed", 2, 1, 3), None]
    empty = one.run({"type_filters": {"missing": True}, "last_task_index": 0})
    assert empty.statuses == ("failed", "failed", [], [3])
    assert "for an empty image list" in empty.job["log"]
    # The cache counts three images, of which the latest run saw none.
    assert statuses(one) == [counted("failed", 2, 1, None), None]


def test_more_images_in_the_cache_than_the_latest_run_saw_are_no_number(flow: Any) -> None:
    one = flow(Step("parallel"), images=IMAGES)
    one.run()
    assert statuses(one) == [counted("done", 3, 0, 3)]
    # Attributes choose among the images that there are, types which there are.
    one.run({"attribute_filters": {"well": ["a"]}})
    assert statuses(one) == [counted("done", 3, 0, 3)]
    one.run({"type_filters": {"first": True}})
    assert statuses(one) == [counted("done", 3, 0, None)]
    url = one.url("c")
    one.api.delete(f"/api/v2/project/{one.project}/dataset/{one.dataset}/images/", zarr_url=url)
    # Statuses of a deleted image are forgotten, also here.
    assert statuses(one) == [counted("done", 2, 0, None)]
    one.run()
    assert statuses(one) == [counted("done", 2, 0, 2)]


def test_a_compound_task_keeps_its_warnings_and_others_do_not(flow: Any) -> None:
    returned = {"init": '{"parallelization_list": [{"zarr_url": "{z}/a"}]}'}
    one = flow(Step("compound", prints={"a": "WARNING"}, returns=returned), Step("parallel", prints={"b": "a warning"}))
    assert one.run().job["status"] == "done"
    assert [one_of and one_of["has_warnings"] for one_of in statuses(one)] == [True, True]
    path = f"/api/v2/project/{one.project}/workflow/{one.workflow}/wftask/"
    compound, parallel = one.workflowtasks
    one.api.patch(f"{path}{compound}/", {"args_parallel": {}})
    one.api.patch(f"{path}{parallel}/", {"args_parallel": {}})
    assert one.run().job["status"] == "done"
    assert [one_of and one_of["has_warnings"] for one_of in statuses(one)] == [True, False]


def test_logs_are_read_from_the_zip_once_the_folder_is_gone(flow: Any) -> None:
    one = flow(Step("parallel", prints={"b": "seen"}))
    job = one.run().job
    folder = Path(job["working_dir"])
    archive = folder.with_name(f"{folder.name}.zip")
    assert archive.exists()
    # A folder of 1 MiB and more is removed by itself; this one is small.
    shutil.rmtree(folder)
    which = {"dataset_id": one.dataset, "workflowtask_id": one.workflowtasks[0]}
    base = f"/api/v2/project/{one.project}/status/"
    (run,) = one.api.get(f"{base}run/", **which)
    units = one.api.get(f"{base}run/{run['id']}/units/", **which)["items"]
    unit = next(unit for unit in units if unit["zarr_urls"] == [one.url("b")])
    ids = {"history_run_id": run["id"], "history_unit_id": unit["id"]}
    assert one.api.get(f"{base}unit-log/", **ids, **which) == "seen"
    assert one.api.post(f"{base}image-log/", which | {"zarr_url": one.url("b")}, 200) == "seen"
    archive.unlink()
    missing = one.api.get(f"{base}unit-log/", **ids, **which)
    assert missing.startswith("Logs for task '") and missing.endswith(f"' in dataset {one.dataset} are not available.")
    download = one.api.http.get(f"/api/v2/project/{one.project}/job/{job['id']}/download/")
    assert (download.status_code, len(download.content)) == (200, 22)
