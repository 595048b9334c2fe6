"""execution §7: what is left of a job in each row of the failure matrix; with the decisions of §19."""

import json
import sys
from typing import Any

import pytest

from tests.processes import until

from .puppet import Step, items, updates
from .server import Server

PROC = {"proc": True}
UNTIL_CLOSED = """\
import pathlib, sys, time
pathlib.Path(sys.argv[1]).touch()
while not pathlib.Path(sys.argv[2]).exists():
    time.sleep(0.02)
"""


def j1(job: dict[str, Any], error: str) -> bool:
    """A task's failure: the frame, then the error of the lowest index, to the end."""
    frame = f"JOB ERROR in Fractal job {job['id']}:\nTRACEBACK:\nJobExecutionError\n\nAn error occurred.\n"
    log = job["log"]
    assert log.startswith(frame), log
    _, found, shown = log.partition("Original error:\n")
    assert found, log
    assert shown.startswith(error), log
    assert log.endswith("\n\n")
    return True


def j2(job: dict[str, Any], error: str) -> bool:
    assert job["log"] == f"JOB ERROR in Fractal job {job['id']}:\nTRACEBACK:\nJobExecutionError\n{error}"
    return True


def j3(job: dict[str, Any], error: str) -> bool:
    assert job["log"].startswith(f"UNKNOWN ERROR in Fractal job {job['id']}\nTRACEBACK:\n")
    assert error in job["log"]
    return True


def test_all_processes_fail(flow: Any) -> None:
    one = flow(Step("parallel", exits={"a": 3, "b": 4}, prints={"a": r"no DAPI\n"}, output_types=PROC))
    outcome = one.run()
    assert outcome.statuses == ("failed", "failed", ["failed", "failed"], [2])
    assert j1(outcome.job, "Task failed with returncode=3.\nSTDERR: no DAPI\n")
    assert one.types() == {"a": {}, "b": {}}


def test_some_fail_and_the_images_of_the_others_are_kept(flow: Any) -> None:
    one = flow(Step("parallel", exits={"a": 7}, output_types=PROC), Step("parallel"))
    outcome = one.run()
    assert outcome.statuses == ("failed", "failed", ["failed", "done"], [2])
    assert one.types() == {"a": {}, "b": PROC}


@pytest.mark.parametrize("kind", ["parallel", "non_parallel"])
@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"image_list_updates": 1}', "Validation of task output failed.\nOriginal error: "),
        ('{"unknown": []}', "Validation of task output failed.\nOriginal error: "),
        ("[]", "Validation of task output failed.\nOriginal error: "),
        ('"text"', "Validation of task output failed.\nOriginal error: "),
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ('{"image_list_updates": [{"zarr_url": "{z}/a", "attributes": {"k": NaN}}]}', "NaN is not valid JSON"),
        (
            '{"image_list_updates": [{"zarr_url": "{z}/a", "attributes": {"k": "\\u0000"}}]}',
            "Validation of task output",
        ),
        ('{"image_list_updates": [{"zarr_url": "relative"}]}', "Validation of task output failed.\nOriginal error: "),
    ],
)
def test_an_output_that_is_not_one_fails_its_unit(flow: Any, kind: str, text: str, error: str) -> None:
    one = flow(Step(kind, returns={"a": text, "init": text}, output_types=PROC))
    outcome = one.run()
    expected = (["failed", "done"], [2]) if kind == "parallel" else (["failed"], [1])
    assert outcome.statuses == ("failed", "failed", *expected)
    assert j1(outcome.job, error)
    assert one.types() == {"a": {}, "b": PROC if kind == "parallel" else {}}


@pytest.mark.parametrize("text", ["null", "{}"])
def test_no_output_is_an_empty_one(flow: Any, text: str) -> None:
    one = flow(Step("parallel", returns={"a": text}, output_types=PROC))
    assert one.run().statuses == ("done", "done", ["done", "done"], [2])
    assert one.types() == {"a": PROC, "b": PROC}


@pytest.mark.parametrize(
    ("step", "units", "accounting", "error"),
    [
        (Step("compound", exits={"init": 1}), ["failed"], 1, "Task failed with returncode=1.\nSTDERR: "),
        (Step("compound", returns={"init": "{"}), ["failed"], 1, "Expecting property name"),
        (Step("compound", returns={"init": "[]"}), ["failed"], 1, "Validation of init-task output failed.\n"),
        (
            Step("compound", returns={"init": '{"parallelization_list": [{"zarr_url": "/a", "init_args": null}]}'}),
            ["failed"],
            1,
            "Validation of init-task output failed.\nOriginal error: ",
        ),
        (
            Step("compound", returns={"init": items(*(str(number) for number in range(20_001)))}),
            ["failed"],
            0,
            "Too many parallelization items.\n   20001\n   MAX_PARALLELIZATION_LIST_SIZE=20000\n",
        ),
        (
            Step("compound", returns={"init": items("a")}, meta_parallel={"parallel_tasks_per_job": 0}),
            ["failed"],
            0,
            "Invalid parallel_tasks_per_job=0",
        ),
    ],
    ids=["exit", "no JSON", "list", "schema", "too many", "configuration"],
)
def test_the_init_part_of_a_compound_task_fails(
    flow: Any, step: Step, units: list[str], accounting: int, error: str
) -> None:
    one = flow(step)
    outcome = one.run()
    assert outcome.statuses == ("failed", "failed", units, [accounting])
    assert j1(outcome.job, error)
    assert one.types() == {"a": {}, "b": {}}


def test_one_compute_process_fails_and_all_units_of_the_task_with_it(flow: Any) -> None:
    returned = {"init": items("a", "b"), "a": updates({"zarr_url": "a", "attributes": {"n": 1}})}
    one = flow(Step("compound", returns=returned, exits={"b": 7}, output_types=PROC))
    outcome = one.run()
    assert outcome.statuses == ("failed", "failed", ["failed"] * 3, [3])
    assert j1(outcome.job, "Task failed with returncode=7.")
    first, second = one.images()
    assert (first["attributes"], first["types"]) == ({"n": 1}, PROC)
    assert (second["attributes"], second["types"]) == ({}, {})


def test_nothing_to_compute_is_a_success(flow: Any) -> None:
    one = flow(Step("compound", returns={"init": '{"parallelization_list": []}'}, output_types=PROC))
    assert one.run().statuses == ("done", "done", ["done"], [1])
    assert one.types() == {"a": {}, "b": {}}


@pytest.mark.parametrize("kind", ["parallel", "non_parallel", "compound"])
def test_an_empty_image_list(flow: Any, kind: str) -> None:
    one = flow(Step(kind, input_types={"x": True}))
    outcome = one.run({"attribute_filters": {"well": ["A"]}})
    (name,) = one.database.execute(
        "SELECT t.name FROM jobs.taskv2 t JOIN jobs.workflowtaskv2 w ON w.task_id = t.id WHERE w.id = %s",
        one.workflowtasks,
    ).fetchone()
    assert outcome.statuses == ("failed", "failed", [], [])
    filters = "type_filters={'x': True} and attribute_filters={'well': ['A']}"
    assert j2(outcome.job, f"Cannot run task '{name}' for an empty image list (obtained after applying {filters}).")


@pytest.mark.parametrize("kind", ["converter_non_parallel", "converter_compound"])
def test_a_converter_needs_no_images(flow: Any, kind: str) -> None:
    new = updates({"zarr_url": "new"})
    returned = {"init": new if kind == "converter_non_parallel" else items("new"), "new": new}
    one = flow(Step(kind, returns=returned, output_types=PROC), images=[])
    outcome = one.run()
    assert outcome.job["status"] == "done", outcome.job["log"]
    assert one.types() == {"new": PROC}


def test_a_resource_that_closes_stops_the_job_before_its_next_task(flow: Any, server: Server) -> None:
    (resource,) = server.admin.get("/admin/v2/resource/")
    one = flow(Step("parallel", prints={"a": "x"}), Step("parallel"))
    script = server.folder / "slow.py"
    script.write_text(UNTIL_CLOSED)
    started, closed = server.folder / "started", server.folder / "closed"
    task = one.api.get(f"/api/v2/project/{one.project}/workflow/{one.workflow}/")["task_list"][0]["task"]["id"]
    one.api.patch(f"/api/v2/task/{task}/", {"command_parallel": f"{sys.executable} {script} {started} {closed}"})
    job = one.submit()
    until(started.exists, "the first task runs")
    path = f"/admin/v2/resource/{resource['id']}/"
    same = {key: value for key, value in resource.items() if key not in {"id", "timestamp_created"}}
    server.admin.call("PUT", path, json=same | {"prevent_new_submissions": True})
    try:
        which = {"workflow_id": one.workflow, "dataset_id": one.dataset}
        refused = one.api.post(f"/api/v2/project/{one.project}/job/submit/", {}, 422, **which)
        assert refused == {
            "detail": f"The '{resource['name']}' resource does not currently accept new job submissions."
        }
        closed.touch()
        outcome = one.outcome(job)
    finally:
        server.admin.call("PUT", path, json=same)
    assert outcome.statuses == ("failed", "failed", [], [2])
    assert outcome.job["log"].endswith(f"since the '{resource['name']}' resource is not currently active."), (
        outcome.job["log"]
    )


@pytest.mark.parametrize("wrong", [0, -1, "2", True])
def test_a_configuration_error_before_any_unit(flow: Any, wrong: object) -> None:
    one = flow(Step("parallel", meta_parallel={"parallel_tasks_per_job": wrong}))
    outcome = one.run()
    assert outcome.statuses == ("failed", "failed", [], [0])
    assert j1(outcome.job, f"Invalid parallel_tasks_per_job={wrong!r}")


@pytest.mark.parametrize(
    ("returned", "frame", "error"),
    [
        ({"a": updates({"zarr_url": "/elsewhere/x"})}, j2, "Cannot create image if zarr_url is not a subfolder"),
        ({"a": updates({"zarr_url": "{z}_evil/x"})}, j2, "Cannot create image if zarr_url is not a subfolder"),
        ({"a": '{"image_list_removals": ["{z}/missing"]}'}, j2, "Cannot remove missing image (zarr_url={z}/missing)."),
        (
            {key: updates({"zarr_url": "a", "attributes": {"by": key}}) for key in "ab"},
            j3,
            "TaskOutput (2 image_list_updates and 0 image_list_removals) has non-unique zarr_urls:\n{z}/a",
        ),
    ],
    ids=["outside", "beside", "removal", "disagreement"],
)
def test_outputs_that_cannot_be_merged_leave_the_images_alone(
    flow: Any, returned: dict[str, str], frame: Any, error: str
) -> None:
    returned = {key: text.replace("{z}/{z}", "{z}") for key, text in returned.items()}
    one = flow(Step("parallel", returns=returned, output_types=PROC))
    outcome = one.run()
    assert outcome.statuses == ("failed", "failed", ["failed", "failed"], [])
    error = error.replace("{z}", one.z)
    if frame is j2 and error.startswith("Cannot create"):
        url = json.loads(returned["a"].replace("{z}", one.z))["image_list_updates"][0]["zarr_url"]
        error += f" of zarr_dir.\nzarr_dir: {one.z}\nzarr_url: {url}"
    assert frame(outcome.job, error)
    assert one.types() == {"a": {}, "b": {}}


def test_text_that_no_database_takes_does_not_lock_the_dataset(flow: Any) -> None:
    one = flow(Step("parallel", exits={"a": 1}, prints={"a": r"nul \0, latin \xe9\n"}))
    outcome = one.run()
    assert outcome.statuses == ("failed", "failed", ["failed", "done"], [2])
    assert j1(outcome.job, "Task failed with returncode=1.\nSTDERR: nul \N{REPLACEMENT CHARACTER}, latin ")
    assert one.run().job["status"] == "failed"


def test_a_log_of_more_than_100000_characters_is_not_repeated(flow: Any) -> None:
    one = flow(Step("parallel", exits={"a": 1}, prints={"a": "x" * 100_001}))
    assert j1(
        one.run().job,
        "Task failed with returncode=1.\nSTDERR: Cannot display stderr of length 100001. "
        "You can find the detailed logs by downloading the job-log folder.",
    )


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("/nowhere/python task.py", 'Command "/nowhere/python" is not valid. Hint: make sure that it is executable.'),
        ("/etc/passwd", 'Command "/etc/passwd" is not valid. Hint: make sure that it is executable.'),
        ("python 'task.py", "Invalid command. Original error: No closing quotation"),
    ],
)
def test_a_command_that_cannot_be_run(flow: Any, command: str, error: str) -> None:
    one = flow(Step("parallel", command=command))
    outcome = one.run()
    assert (outcome.job["status"], outcome.run) == ("failed", "failed"), outcome.job["log"]
    assert j1(outcome.job, error)


def test_a_task_that_is_no_python(flow: Any, server: Server) -> None:
    script = server.folder / "task.sh"
    script.write_text("#!/bin/sh\necho out\necho Warning: err >&2\n")
    script.chmod(0o755)
    one = flow(Step("parallel", command=str(script)))
    outcome = one.run()
    assert outcome.job["status"] == "done"
    which = {"dataset_id": one.dataset, "workflowtask_id": one.workflowtasks[0]}
    base = f"/api/v2/project/{one.project}/status/"
    (run,) = one.api.get(f"{base}run/", **which)
    assert run["num_units_with_warnings"] == 2
    unit = one.api.get(f"{base}run/{run['id']}/units/", **which)["items"][0]
    ids = {"history_run_id": run["id"], "history_unit_id": unit["id"]}
    assert one.api.get(f"{base}unit-log/", **ids, **which) == "out\nWarning: err\n"
