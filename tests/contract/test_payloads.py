"""api appendix B: whole answers, each key with its value."""

import re
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import until

from .puppet import Flow, Step
from .server import Person, Server

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?"
OFFSET, ZULU = re.compile(TIME + r"\+00:00"), re.compile(TIME + "Z")
WAITS = """\
import pathlib, sys, time
pathlib.Path(sys.argv[1]).touch()
while not pathlib.Path(sys.argv[2]).exists():
    time.sleep(0.02)
"""


class Matching:
    """Equal to each text of its pattern."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self._pattern.fullmatch(other) is not None

    def __repr__(self) -> str:
        return self._pattern.pattern


NOW, NOW_IN_DUMPS = Matching(OFFSET), Matching(ZULU)


@pytest.fixture
def project(user: Person) -> dict[str, Any]:
    return user.api.post("/api/v2/project/", {"name": "My Proj 1", "description": "d"})


def test_a_project(user: Person, project: dict[str, Any]) -> None:
    expected = {
        "id": project["id"],
        "name": "My Proj 1",
        "description": "d",
        "is_starred": False,
        "timestamp_created": NOW,
    }
    assert project == expected
    assert user.api.get("/api/v2/project/") == [expected]


def test_datasets_with_and_without_a_directory(user: Person, project: dict[str, Any]) -> None:
    base = f"/api/v2/project/{project['id']}/"
    renamed = user.api.patch(base, {"name": "My Proj 1 ren"})
    first = user.api.post(f"{base}dataset/", {"name": "My Ds.1"})
    expected = {
        "id": first["id"],
        "name": "My Ds.1",
        "project_id": project["id"],
        "project": renamed,
        "timestamp_created": NOW,
        "zarr_dir": f"{user.project_dir}/fractal/{project['id']}_my_proj_1_ren/{first['id']}_my_ds_1",
        "is_starred": False,
    }
    assert first == expected
    given = {"name": "My Ds.1", "project_dir": f"{user.project_dir}/", "zarr_subfolder": " sub//x/./y/ "}
    second = user.api.post(f"{base}dataset/", given)
    assert second == expected | {"id": second["id"], "zarr_dir": f"{user.project_dir}/sub/x/y"}
    more = {"owner_email": user.email, "image_count": 0}
    assert user.api.get("/api/v2/dataset/", page_size=1)["items"] == [second | more]


def test_a_workflow_task(server: Server, user: Person, project: dict[str, Any]) -> None:
    body = {"name": f"task {server.new_email()}", "version": "1", "command_parallel": "run"}
    task = user.api.post("/api/v2/task/", body | {"meta_parallel": {"cpus_per_task": 2, "a": 1}})
    workflow = user.api.post(f"/api/v2/project/{project['id']}/workflow/", {"name": "w"})["id"]
    path = f"/api/v2/project/{project['id']}/workflow/{workflow}/wftask/"
    user.api.post(path, [{"task_id": task["id"]}])
    item = {"task_id": task["id"], "meta_parallel": {"a": 9, "b": 2}, "args_parallel": {}, "type_filters": {"q": True}}
    (created,) = user.api.post(path, [item])
    assert created == {
        "id": created["id"],
        "workflow_id": workflow,
        "order": 1,
        "meta_non_parallel": None,
        "meta_parallel": {"cpus_per_task": 2, "a": 9, "b": 2},
        "args_non_parallel": None,
        "args_parallel": {},
        "type_filters": {"q": True},
        "task_type": "parallel",
        "task_id": task["id"],
        "task": task,
        "alias": None,
        "description": None,
    }


def test_the_list_of_task_groups(server: Server, user: Person) -> None:
    name = f"mypkg {server.new_email()}"
    task = user.api.post("/api/v2/task/", {"name": name, "version": "2.0.0rc1", "command_parallel": "run"})
    slim = ("id", "name", "version", "is_core", "category", "modality", "authors", "tags", "input_types")
    listed = [pair for pair in user.api.get("/api/v2/task-group/") if pair[0] == name]
    group = {
        "id": task["taskgroupv2_id"],
        "task_list": [{key: task[key] for key in (*slim, "docs_info", "docs_link")}],
        "user_email": user.email,
        "user_group_id": 1,
        "origin": "other",
        "pkg_name": name,
        "version": "2.0.0rc1",
        "python_version": None,
        "pixi_version": None,
        "path": None,
        "venv_path": None,
        "archive_path": None,
        "pip_extras": None,
        "pinned_package_versions_pre": {},
        "pinned_package_versions_post": {},
        "in_use": False,
        "active": True,
        "timestamp_created": NOW,
        "timestamp_last_used": NOW,
    }
    assert listed == [[name, [group]]]


@pytest.fixture
def waiting(flow: Any, server: Server) -> Generator[Flow]:
    """Four tasks, of which the first has run, and the second of the latest job runs until the end of the test."""
    script = server.folder / "waits.py"
    script.write_text(WAITS)
    started, go_on = (Path(server.folder, f"{word} {server.new_email()}".replace(" ", "-")) for word in ("up", "go"))
    slow = Step("parallel", command=f"{sys.executable} {script} {started} {go_on}")
    one = flow(Step("parallel"), slow, Step("parallel"), Step("parallel"))
    one.run({"last_task_index": 0})
    one.job = one.submit({"first_task_index": 1, "attribute_filters": {}, "type_filters": {"raw3d": False}})
    until(started.exists, "the second task runs")
    yield one
    go_on.touch()
    one.api.finished(one.project, one.job)


def test_a_submitted_job(waiting: Any, server: Server, user: Person) -> None:
    job = user.api.get(f"/api/v2/project/{waiting.project}/job/{waiting.job}/")
    stamp = re.sub(r"\D", "", job["start_timestamp"][:19])
    name = f"proj_v2_{waiting.project:07d}_wf_{waiting.workflow:07d}_job_{waiting.job:07d}_{stamp[:8]}_{stamp[8:]}"
    folder = f"{server.folder}/jobs/{job['start_timestamp'][:7]}/{name}"
    made = {"project_id": waiting.project, "timestamp_created": NOW_IN_DUMPS}
    assert job == {
        "id": waiting.job,
        "project_id": waiting.project,
        "project_dump": {"id": waiting.project, "name": "p", "timestamp_created": NOW_IN_DUMPS},
        "user_email": user.email,
        "slurm_account": None,
        "workflow_id": waiting.workflow,
        "workflow_dump": {"id": waiting.workflow, "name": "w", **made},
        "dataset_id": waiting.dataset,
        "dataset_dump": {"id": waiting.dataset, "name": "d", "zarr_dir": waiting.z, **made},
        "start_timestamp": NOW,
        "end_timestamp": None,
        "status": "submitted",
        "log": None,
        "executor_error_log": None,
        "working_dir": folder,
        "working_dir_user": folder,
        "first_task_index": 1,
        "last_task_index": 3,
        "worker_init": None,
        "attribute_filters": {},
        "type_filters": {"raw3d": False},
    }


def test_statuses_while_a_job_runs(waiting: Any, user: Person) -> None:
    def counted(status: str, submitted: int, done: int) -> dict[str, Any]:
        return {
            "status": status,
            "num_submitted_images": submitted,
            "num_done_images": done,
            "num_failed_images": 0,
            "num_available_images": 2,
            "has_warnings": False,
        }

    query = {"workflow_id": waiting.workflow, "dataset_id": waiting.dataset}
    latest = user.api.get(f"/api/v2/project/{waiting.project}/latest-job/", **query)
    assert latest.pop("task_statuses") == dict(
        zip(
            map(str, waiting.workflowtasks),
            [counted("done", 0, 2), counted("submitted", 2, 0), {"status": "submitted"}, {"status": "submitted"}],
            strict=True,
        )
    )
    assert latest == user.api.get(f"/api/v2/project/{waiting.project}/job/{waiting.job}/")


def test_history_of_a_task(flow: Any) -> None:
    one = flow(
        Step("parallel", prints={"a": "a warning", "b": "WARNING"}, exits={"b": 1}, input_types={"is_3d": False})
    )
    job = one.run().job
    base, which = (
        f"/api/v2/project/{one.project}/",
        {"dataset_id": one.dataset, "workflowtask_id": one.workflowtasks[0]},
    )
    item = one.api.get(f"{base}workflow/{one.workflow}/")["task_list"][0]
    (run,) = one.api.get(f"{base}status/run/", **which)
    columns = ("id", "order", "alias", "task_id", "task_type", "workflow_id", "type_filters", "description")
    parts = ("args_parallel", "meta_parallel", "args_non_parallel", "meta_non_parallel")
    of_task = (
        "id",
        "name",
        "type",
        "version",
        "input_types",
        "output_types",
        "command_parallel",
        "command_non_parallel",
    )
    assert run == {
        "id": run["id"],
        "timestamp_started": NOW,
        "workflowtask_dump": {
            **{name: item[name] for name in (*columns, *parts)},
            "task": {name: item["task"][name] for name in of_task},
        },
        "num_submitted_units": 0,
        "num_done_units": 1,
        "num_failed_units": 1,
        "num_units_with_warnings": 2,
        "args_schema_parallel": None,
        "args_schema_non_parallel": None,
        "version": "1",
    }
    units = one.api.get(f"{base}status/run/{run['id']}/units/", **which)["items"]
    slug = re.sub(r"\W", "_", item["task"]["name"])
    assert units == [
        {
            "id": unit["id"],
            "logfile": f"{job['working_dir']}/0_{slug}/par-000000-{number:07d}-log.txt",
            "has_warnings": True,
            "status": status,
            "zarr_urls": [one.url(name)],
        }
        for number, (unit, name, status) in enumerate(zip(units, "ab", ("done", "failed"), strict=True))
    ]


def test_images_with_their_status(flow: Any) -> None:
    images = [
        {"zarr_url": name, "attributes": {"well": f"A0{number}", "plate": "p"}, "types": {"is_3d": True}}
        for number, name in enumerate("ba")
    ]
    one = flow(Step("parallel", prints={"b": "a warning"}, exits={"b": 1}), images=images)
    one.run()
    query = {"dataset_id": one.dataset, "workflowtask_id": one.workflowtasks[0], "include_warnings": True}
    page = one.api.post(f"/api/v2/project/{one.project}/status/images/", {}, 200, **query)
    status = "__wftask_dataset_image_status__"
    assert page == {
        "current_page": 1,
        "page_size": 2,
        "total_count": 2,
        "items": [
            {
                "zarr_url": one.url(name),
                "origin": None,
                "attributes": {"well": well, "plate": "p", status: value},
                "types": {"is_3d": True},
                "has_warnings": value == "failed",
            }
            for name, well, value in (("a", "A01", "done"), ("b", "A00", "failed"))
        ],
        "attributes": {
            "plate": ["p"],
            "well": ["A00", "A01"],
            status: ["done", "submitted", "failed", "unset"],
        },
        "types": ["is_3d"],
    }
    del query["include_warnings"]
    page = one.api.post(f"/api/v2/project/{one.project}/status/images/", {}, 200, **query)
    assert [item["has_warnings"] for item in page["items"]] == [None, None]
