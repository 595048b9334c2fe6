"""api §22–§24: submission, jobs, latest job, history; run by the real engine and agent."""

import io
import zipfile
from typing import Any

import pytest

from .server import Person, Server

Ids = tuple[int, int, int]


@pytest.fixture
def prepared(server: Server, user: Person) -> Ids:
    """Project, dataset of four images and workflow of one puppet task."""
    task = user.api.puppet_task(server.folder, f"puppet {server.new_email()}")
    return user.api.prepared(server.folder, task, images=4)


def submit(user: Person, ids: Ids, body: dict[str, Any] | None = None, status: int = 202) -> Any:
    project, dataset, workflow = ids
    path = f"/api/v2/project/{project}/job/submit/"
    return user.api.post(path, {} if body is None else body, status, workflow_id=workflow, dataset_id=dataset)


def test_a_job_from_its_submission_to_its_end(server: Server, user: Person, prepared: Ids) -> None:
    project, dataset, workflow = prepared
    submitted = submit(user, prepared, {"worker_init": "\n export X=1 \n"})
    assert (submitted["status"], submitted["log"], submitted["end_timestamp"]) == ("submitted", None, None)
    assert (submitted["first_task_index"], submitted["last_task_index"]) == (0, 0)
    assert submitted["worker_init"] == "export X=1"
    name = f"proj_v2_{project:07}_wf_{workflow:07}_job_{submitted['id']:07}_"
    month, folder = submitted["working_dir"].split("/")[-2:]
    assert submitted["working_dir"] == f"{server.folder}/jobs/{month}/{folder}"
    assert folder.startswith(name)
    assert submitted["dataset_dump"].keys() == {"id", "name", "project_id", "timestamp_created", "zarr_dir"}
    assert submitted["project_dump"]["timestamp_created"].endswith("Z")

    job = user.api.finished(project, submitted["id"])
    assert (job["status"], job["executor_error_log"]) == ("done", None)
    assert job["log"]
    jobs = f"/api/v2/project/{project}/job/"
    assert [one["id"] for one in user.api.get(jobs)] == [job["id"]]
    assert user.api.get(jobs, log=False)[0]["log"] is None
    assert [one["id"] for one in user.api.get("/api/v2/job/")] == [job["id"]]
    assert [one["id"] for one in user.api.get(f"/api/v2/project/{project}/workflow/{workflow}/job/")] == [job["id"]]

    answer = user.api.http.get(f"{jobs}{job['id']}/download/")
    assert answer.headers["content-type"] == "application/x-zip-compressed"
    assert answer.headers["content-disposition"] == f"attachment;filename={folder}_archive.zip"
    inside = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert "workflow.log" in inside
    assert len([file for file in inside if file.endswith("-log.txt")]) == 4

    latest = user.api.get(f"/api/v2/project/{project}/latest-job/", workflow_id=workflow, dataset_id=dataset)
    (status,) = latest["task_statuses"].values()
    assert (latest["id"], status["status"], status["num_done_images"], status["num_available_images"]) == (
        job["id"],
        "done",
        4,
        4,
    )


def test_history_of_a_run(user: Person, prepared: Ids) -> None:
    project, dataset, workflow = prepared
    user.api.finished(project, submit(user, prepared)["id"])
    (wftask,) = user.api.get(f"/api/v2/project/{project}/workflow/{workflow}/")["task_list"]
    which = {"dataset_id": dataset, "workflowtask_id": wftask["id"]}
    status = f"/api/v2/project/{project}/status/"
    (run,) = user.api.get(f"{status}run/", **which)
    counts = {key: value for key, value in run.items() if key.startswith("num_")}
    assert counts == {
        "num_submitted_units": 0,
        "num_done_units": 4,
        "num_failed_units": 0,
        "num_units_with_warnings": 0,
    }
    assert run["workflowtask_dump"]["task"]["id"] == wftask["task_id"]
    units = user.api.get(f"{status}run/{run['id']}/units/", **which, page=1, page_size=3)
    assert (units["total_count"], len(units["items"])) == (4, 3)
    assert list(units["items"][0]) == ["id", "logfile", "has_warnings", "status", "zarr_urls"]
    assert user.api.get(f"{status}run/{run['id']}/units/", **which, page=9, page_size=3)["current_page"] == 9
    assert user.api.get(f"{status}run/{run['id']}/units/", **which, unit_status="failed")["items"] == []
    unit = units["items"][0]["id"]
    log = user.api.get(f"{status}unit-log/", **which, history_run_id=run["id"], history_unit_id=unit)
    assert isinstance(log, str)
    images = user.api.post(f"{status}images/", {}, 200, **which)
    assert [item["attributes"]["__wftask_dataset_image_status__"] for item in images["items"]] == ["done"] * 4
    assert images["attributes"]["__wftask_dataset_image_status__"] == ["done", "submitted", "failed", "unset"]
    url = images["items"][0]["zarr_url"]
    assert user.api.post(f"{status}image-log/", which | {"zarr_url": url}, 200) == log
    assert user.api.post(f"{status}image-log/", which | {"zarr_url": "/x"}, 404) == {
        "detail": "HistoryImageCache not found"
    }
    other = {"dataset_id": dataset, "workflowtask_id": 98765}
    assert user.api.get(f"{status}run/", 404, **other) == {"detail": "WorkflowTask 98765 not found."}
    assert user.api.get(f"{status}run/98765/units/", 404, **which) == {"detail": "HistoryRun 98765 not found"}


def test_submission_is_refused_in_the_order_of_the_contract(user: Person, other: Person, prepared: Ids) -> None:
    project, dataset, workflow = prepared
    path = f"/api/v2/project/{project}/job/submit/"
    which = {"workflow_id": workflow, "dataset_id": dataset}
    other.api.post(path, {}, 403, **which)
    assert user.api.post(path, {}, 404, workflow_id=workflow, dataset_id=98765) == {"detail": "Dataset not found"}
    assert user.api.post(path, {}, 404, workflow_id=98765, dataset_id=dataset) == {"detail": "Workflow not found"}
    empty = user.api.post(f"/api/v2/project/{project}/workflow/", {"name": "empty"})["id"]
    assert user.api.post(path, {}, 422, workflow_id=empty, dataset_id=dataset) == {
        "detail": f"Workflow {empty} has empty task list"
    }
    assert user.api.post(path, {"last_task_index": 1}, 422, **which) == {
        "detail": "Invalid values for first_task_index or last_task_index (with num_tasks=1).\n"
        "Original error: last_task_index=1 cannot be larger than (num_tasks-1)=0"
    }
    (item,) = user.api.post(path, {"first_task_index": 2, "last_task_index": 1}, 422, **which)["detail"]
    assert "first_task_index=2 cannot be larger than last_task_index=1" in item["msg"]
    assert user.api.post(path, {"slurm_account": "x"}, 422, **which) == {
        "detail": "SLURM account 'x' is not among those available to the current user"
    }
    user.api.post(path, {"worker_init": None}, 422, **which)
    user.api.post(path, None, 422, **which)
    assert user.api.get(f"/api/v2/project/{project}/job/") == []


def test_while_a_job_runs(server: Server, user: Person) -> None:
    task = user.api.puppet_task(server.folder, f"slow {server.new_email()}")
    ids = project, dataset, workflow = user.api.prepared(server.folder, task, images=1, sleep=3)
    job = submit(user, ids)["id"]
    base = f"/api/v2/project/{project}/"
    busy = {"detail": f"Dataset {dataset} is already in use in submitted job(s)."}
    assert submit(user, ids, status=422) == busy
    copy = user.api.post(f"{base}dataset/", {"name": "second"})["id"]
    (wftask,) = user.api.get(f"{base}workflow/{workflow}/")["task_list"]
    for path, kind in [("", "project"), (f"dataset/{dataset}/", "dataset"), (f"workflow/{workflow}/", "workflow")]:
        number = {"project": project, "dataset": dataset, "workflow": workflow}[kind]
        assert user.api.delete(base + path, 422) == {
            "detail": f"Cannot delete {kind} {number} because it is linked to active job(s) {job}."
        }
    assert user.api.delete(f"{base}workflow/{workflow}/wftask/{wftask['id']}/", 422) == {
        "detail": "Cannot delete a WorkflowTask while a Job is running for this Workflow."
    }
    user.api.patch(f"{base}workflow/{workflow}/", {"name": "renamed"})
    user.api.post(f"{base}workflow/{workflow}/wftask/", [{"task_id": task}])
    assert user.api.post(f"{base}workflow/{workflow}/wftask/", [{"task_id": task}], 422, order=0) == {
        "detail": "Cannot perform WorkflowTask insertion while a Job is running for this Workflow."
    }
    group = user.api.get(f"/api/v2/task/{task}/")["taskgroupv2_id"]
    assert user.api.post(f"/api/v2/task-group/{group}/deactivate/", status=422) == {
        "detail": "Cannot act on task group because 1 submitted jobs use its tasks."
    }
    second = submit(user, (project, copy, workflow), {"last_task_index": 0})["id"]
    assert user.api.finished(project, job)["status"] == "done"
    failed = user.api.finished(project, second)
    assert failed["status"] == "failed"
    assert failed["log"].startswith(f"JOB ERROR in Fractal job {second}:\nTRACEBACK:\nJobExecutionError\n")
    assert (
        "for an empty image list (obtained after applying type_filters={} and attribute_filters={})." in failed["log"]
    )
    user.api.delete(base)
    assert user.api.get("/api/v2/job/") == []


def test_a_task_that_fails_fails_the_job_and_says_why(server: Server, user: Person, prepared: Ids) -> None:
    project, dataset, workflow = prepared
    script = server.folder / "broken.py"
    script.write_text("import sys; sys.exit('no such channel: DAPI')")
    task = user.api.get(f"/api/v2/project/{project}/workflow/{workflow}/")["task_list"][0]["task"]["id"]
    user.api.patch(f"/api/v2/task/{task}/", {"command_parallel": f"python3 {script}"})
    job = user.api.finished(project, submit(user, prepared)["id"])
    assert job["status"] == "failed"
    assert job["log"].startswith(f"JOB ERROR in Fractal job {job['id']}:\nTRACEBACK:\n")
    assert "Task failed with returncode=1." in job["log"]
    assert "no such channel: DAPI" in job["log"]
    latest = user.api.get(f"/api/v2/project/{project}/latest-job/", workflow_id=workflow, dataset_id=dataset)
    (status,) = latest["task_statuses"].values()
    assert (status["status"], status["num_failed_images"]) == ("failed", 4)


def test_before_a_submission(server: Server, user: Person, prepared: Ids) -> None:
    project, dataset, workflow = prepared
    (wftask,) = user.api.get(f"/api/v2/project/{project}/workflow/{workflow}/")["task_list"]
    images = f"/api/v2/project/{project}/dataset/{dataset}/images/"
    (first, *_) = user.api.post(f"{images}query/", None, 200)["items"]
    user.api.patch(images, {"zarr_url": first["zarr_url"], "types": {"3D": True}})
    assert user.api.post(f"{images}verify-unique-types/", {}, 200, workflowtask_id=wftask["id"]) == ["3D"]
    filters = {"type_filters": {"3D": True}}
    assert user.api.post(f"{images}verify-unique-types/", filters, 200, workflowtask_id=wftask["id"]) == []
    which = {"workflow_id": workflow, "workflowtask_id": wftask["id"]}
    assert user.api.post(f"{images}non-processed/", {}, 200, **which) == []
    (second,) = user.api.post(
        f"/api/v2/project/{project}/workflow/{workflow}/wftask/", [{"task_id": wftask["task_id"]}]
    )
    which["workflowtask_id"] = second["id"]
    assert len(user.api.post(f"{images}non-processed/", {}, 200, **which)) == 4
    missing = user.api.get(f"/api/v2/project/{project}/latest-job/", 404, workflow_id=workflow, dataset_id=dataset)
    assert missing == {"detail": f"Job with workflow_id={workflow} and dataset_id={dataset} not found."}


def test_a_job_is_stopped_at_once(server: Server, user: Person, other: Person) -> None:
    task = user.api.puppet_task(server.folder, f"slow {server.new_email()}")
    ids = project, dataset, workflow = user.api.prepared(server.folder, task, images=2, sleep=60)
    job = submit(user, ids)["id"]
    path = f"/api/v2/project/{project}/job/{job}/stop/"
    other.api.get(path, 403)
    assert user.api.get(f"/api/v2/project/{project}/job/98765/stop/", 404) == {"detail": "Job not found"}
    assert user.api.get(path, 202) is None
    stopped = user.api.finished(project, job, timeout_s=10)
    assert stopped["status"] == "failed"
    assert "Failed due to job-execution shutdown." in stopped["log"]
    assert user.api.get(path, 422) == {
        "detail": "Cannot stop job: expected status 'submitted', but current status is 'failed'."
    }
    latest = user.api.get(f"/api/v2/project/{project}/latest-job/", workflow_id=workflow, dataset_id=dataset)
    (status,) = latest["task_statuses"].values()
    assert status is None or status["status"] == "failed"
