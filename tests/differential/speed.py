"""Times of both servers on the same data, operation by operation, measured in turn.

Twenty workflows in a project, hundreds of jobs (rows copied from one that really ran, so that both have the same ones),
ten thousand images with their history. Both application servers are asked directly; ours also through its gateway.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from psycopg import sql

from .pair import Pair, Side
from .servers import connect, database_of

REPEAT = 20
JOBS = 300
IMAGES = 10_000
WORKFLOWS = 20
BUDGET = 1.0
LIST_BUDGET = 0.5


@dataclass(frozen=True)
class Timed:
    name: str
    method: str
    path: str
    budget: float = BUDGET
    params: dict[str, Any] | None = None
    body: Any = None


def report(pair: Pair, folder: Path) -> bool:
    """Prints the table; whether a budget was missed."""
    for key, side in (("theirs", pair.theirs), ("ours", pair.ours)):
        _fill(side)
        with connect(database_of(folder / "home"), key) as connection:
            for statement in _copies(side.variables, ours=key == "ours"):
                connection.execute(statement)
            for table in ("jobv2", "historyrun", "historyunit", "historyimagecache", "datasetv2"):
                connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))
    titles = f"{'operation':42} {'reference p50':>14} {'p95':>8} {'ours p50':>12} {'p95':>8} {'ratio':>6}  budget"
    print(f"\n{titles}   gateway p50")
    missed = False
    with _direct(pair.ours, folder / "home") as direct:
        for timed in _operations():
            ways = {"theirs": pair.theirs, "ours": direct, "gateway": pair.ours}
            times: dict[str, list[float]] = {way: [] for way in ways}
            for number in range(REPEAT + 1):
                for way, side in ways.items():
                    taken = _milliseconds(side, timed)
                    if number:
                        times[way].append(taken)
            theirs, ours, gateway = (sorted(each) for each in times.values())
            ratio = statistics.median(ours) / statistics.median(theirs)
            missed |= ratio > timed.budget
            print(
                f"{timed.name:42} {statistics.median(theirs):11.1f} ms {_p95(theirs):8.1f} "
                f"{statistics.median(ours):9.1f} ms {_p95(ours):8.1f} {ratio:6.2f}  {timed.budget:<6} "
                f"{statistics.median(gateway):10.1f} ms{'  MISSED' if ratio > timed.budget else ''}",
                flush=True,
            )
    return missed


@contextmanager
def _direct(side: Side, home: Path) -> Generator[Side]:
    """Ours without the gateway before it: the reference is asked without one as well, and neither is used so."""
    ports: dict[str, int] = json.loads((home / "ports.json").read_text())
    jobs = f"http://127.0.0.1:{ports['jobs-api-1']}"

    class Ports(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.startswith("/auth/"):
                request.url = request.url.copy_with(port=ports["auth"])
            return super().handle_request(request)

    client = httpx.Client(base_url=jobs, headers=side.people["u1"].headers, transport=Ports(), timeout=120)
    with client:
        yield replace(side, url=jobs, people={"u1": client})


def _fill(side: Side) -> None:
    call = _caller(side)
    project = call("POST", "/project/", {"name": f"Speed {time.monotonic_ns()}"})["id"]
    base = f"/project/{project}"
    directory = f"{side.variables['shared']}/u1/speed{project}"
    images = [
        {
            "zarr_url": f"{directory}/{number:05}",
            "attributes": {"well": f"{'ABCDEFGH'[number % 8]}{number % 12:02}", "n": number % 7},
            "types": {"3D": number % 2 == 0},
        }
        for number in range(IMAGES)
    ]
    big = call("POST", f"{base}/dataset/import/", {"name": "big", "zarr_dir": directory, "images": images})["id"]
    small = call("POST", f"{base}/dataset/", {"name": "small"})
    command = f"{sys.executable} -c pass"
    task = call("POST", "/task/", {"name": f"T {time.monotonic_ns()}", "version": "1", "command_parallel": command})[
        "id"
    ]
    for number in range(WORKFLOWS):
        workflow = call("POST", f"{base}/workflow/", {"name": f"flow {number}"})["id"]
        call("POST", f"{base}/workflow/{workflow}/wftask/", [{"task_id": task}] * 5)
    wftask = call("GET", f"{base}/workflow/{workflow}/")["task_list"][0]["id"]
    image = {"zarr_url": f"{small['zarr_dir']}/0"}
    side.people["u1"].post(f"/api/v2{base}/dataset/{small['id']}/images/", json=image).raise_for_status()
    params = {"workflow_id": workflow, "dataset_id": small["id"]}
    job = call("POST", f"{base}/job/submit/", {"last_task_index": 0}, **params)["id"]
    while call("GET", f"{base}/job/{job}/")["status"] == "submitted":
        time.sleep(0.1)
    run = call("GET", f"{base}/status/run/", dataset_id=small["id"], workflowtask_id=wftask)[0]["id"]
    side.variables |= {
        "sp_project": project,
        "sp_big": big,
        "sp_small": small["id"],
        "sp_workflow": workflow,
        "sp_wftask": wftask,
        "sp_job": job,
        "sp_run": run,
        "sp_task": task,
        "sp_image": images[5000]["zarr_url"],
    }


def _caller(side: Side) -> Callable[..., Any]:
    def call(method: str, path: str, body: Any = None, **params: Any) -> Any:
        answer = side.people["u1"].request(method, f"/api/v2{path}", json=body, params=params)
        return answer.raise_for_status().json()

    return call


def _copies(variables: dict[str, Any], *, ours: bool) -> list[sql.Composed]:
    """More rows of what ran: jobs, one run over all big images, its units and cache."""
    values = {name: sql.Literal(value) for name, value in variables.items() if name.startswith("sp_")}
    jobs = """
        INSERT INTO jobv2 (project_id, workflow_id, dataset_id, user_email, slurm_account, dataset_dump, workflow_dump,
            project_dump, fractal_server_version, worker_init, working_dir, working_dir_user, first_task_index,
            last_task_index, start_timestamp, end_timestamp, status, log, executor_error_log, attribute_filters,
            type_filters)
        SELECT project_id, workflow_id, dataset_id, user_email, slurm_account, dataset_dump, workflow_dump,
            project_dump, fractal_server_version, worker_init, working_dir, working_dir_user, first_task_index,
            last_task_index, start_timestamp - number * interval '1 minute', end_timestamp, status, repeat(log, 4),
            executor_error_log, attribute_filters, type_filters
        FROM jobv2, generate_series(1, {jobs}) AS number WHERE jobv2.id = {sp_job}"""
    run = """
        WITH run AS (
            INSERT INTO historyrun (dataset_id, workflowtask_id, job_id, task_id, workflowtask_dump, task_group_dump,
                timestamp_started, status, num_available_images)
            SELECT {sp_big}, workflowtask_id, job_id, task_id, workflowtask_dump, task_group_dump, timestamp_started,
                status, {images}
            FROM historyrun WHERE id = {sp_run} RETURNING id
        ), unit AS (
            INSERT INTO historyunit (history_run_id, logfile, has_warnings, status, zarr_urls{columns})
            SELECT run.id, '/nothing', number % 50 = 0, CASE WHEN number % 20 = 0 THEN 'failed' ELSE 'done' END,
                ARRAY[left({sp_image}, -5) || lpad(number::text, 5, '0')]{values}
            FROM run, generate_series(0, {images} - 1) AS number RETURNING id, zarr_urls
        )
        INSERT INTO historyimagecache (zarr_url, dataset_id, workflowtask_id, latest_history_unit_id)
        SELECT zarr_urls[1], {sp_big}, {sp_wftask}, id FROM unit"""
    more = {
        "jobs": sql.Literal(JOBS),
        "images": sql.Literal(IMAGES),
        # Ours also knows a unit's place in its run.
        "columns": sql.SQL(", part, index" if ours else ""),
        "values": sql.SQL(", 'par', number" if ours else ""),
    }
    return [sql.SQL(text).format(**values, **more) for text in (jobs, run)]


def _operations() -> list[Timed]:
    project, workflow = "/project/$sp_project", "/project/$sp_project/workflow/$sp_workflow"
    images = f"{project}/dataset/$sp_big/images/"
    which = {"dataset_id": "$sp_big", "workflowtask_id": "$sp_wftask"}
    latest = {"workflow_id": "$sp_workflow", "dataset_id": "$sp_big"}
    page = {"page": 1, "page_size": 100}
    wells = {"attribute_filters": {"well": ["A00", "B01"]}}
    failed = {"attribute_filters": {"__wftask_dataset_image_status__": ["failed"]}}
    return [
        Timed("current user", "GET", "/auth/current-user/"),
        Timed("projects", "GET", "/project/", LIST_BUDGET),
        Timed("a project", "GET", f"{project}/"),
        Timed("datasets of a project", "GET", f"{project}/dataset/", LIST_BUDGET),
        Timed("all datasets", "GET", "/dataset/", LIST_BUDGET, {"page_size": 10}),
        Timed("a dataset", "GET", f"{project}/dataset/$sp_big/"),
        Timed("dataset, patched", "PATCH", f"{project}/dataset/$sp_small/", body={"name": "small"}),
        Timed("images, first page", "POST", f"{images}query/", LIST_BUDGET, page),
        Timed("images, last page", "POST", f"{images}query/", LIST_BUDGET, {"page": 100, "page_size": 100}),
        Timed("images, two wells", "POST", f"{images}query/", LIST_BUDGET, page, wells),
        Timed("an image, patched", "PATCH", images, body={"zarr_url": "$sp_image", "attributes": {"well": "A00"}}),
        Timed("images, exported", "GET", f"{project}/dataset/$sp_big/export/"),
        Timed(
            "types in common", "POST", f"{images}verify-unique-types/", BUDGET, {"workflowtask_id": "$sp_wftask"}, {}
        ),
        Timed("workflows of a project", "GET", f"{project}/workflow/", LIST_BUDGET),
        Timed("a workflow", "GET", f"{workflow}/"),
        Timed("workflow, exported", "GET", f"{workflow}/export/"),
        Timed("type filters of a workflow", "GET", f"{workflow}/type-filters-flow/"),
        Timed("versions of its tasks", "GET", f"{workflow}/version-update-candidates/"),
        Timed("a workflow task", "GET", f"{workflow}/wftask/$sp_wftask/"),
        Timed("workflow task, patched", "PATCH", f"{workflow}/wftask/$sp_wftask/", body={"alias": "a"}),
        Timed("tasks", "GET", "/task/", LIST_BUDGET),
        Timed("a task", "GET", "/task/$sp_task/"),
        Timed("task groups", "GET", "/task-group/", LIST_BUDGET),
        Timed("activities", "GET", "/task-group/activity/", LIST_BUDGET),
        Timed("templates", "GET", "/workflow-template/", LIST_BUDGET),
        Timed("all jobs", "GET", "/job/", LIST_BUDGET),
        Timed("all jobs, without logs", "GET", "/job/", LIST_BUDGET, {"log": False}),
        Timed("jobs of a project", "GET", f"{project}/job/", LIST_BUDGET),
        Timed("jobs of a workflow", "GET", f"{workflow}/job/", LIST_BUDGET),
        Timed("a job", "GET", f"{project}/job/$sp_job/"),
        Timed("latest job", "GET", f"{project}/latest-job/", BUDGET, latest | {"dataset_id": "$sp_small"}),
        Timed("runs of a task", "GET", f"{project}/status/run/", LIST_BUDGET, which),
        Timed("images with status", "POST", f"{project}/status/images/", LIST_BUDGET, which | page, {}),
        Timed("images that failed", "POST", f"{project}/status/images/", LIST_BUDGET, which | page, failed),
        Timed("invitations", "GET", "/project/invitation/", LIST_BUDGET),
        Timed("guests", "GET", f"{project}/guest/", LIST_BUDGET),
        Timed("a project made", "POST", "/project/", body={"name": "$unique"}),
        Timed("a dataset made", "POST", f"{project}/dataset/", body={"name": "one more"}),
        Timed("an image added", "POST", images, body={"zarr_url": "$sp_image$unique"}),
        Timed("a workflow made", "POST", f"{project}/workflow/", body={"name": "$unique"}),
        Timed("a workflow task added", "POST", f"{workflow}/wftask/", body=[{"task_id": "$sp_task"}]),
    ]


def _milliseconds(side: Side, timed: Timed) -> float:
    side.variables["unique"] = f"u{time.monotonic_ns()}"
    path = timed.path if timed.path.startswith("/auth") else f"/api/v2{timed.path}"
    client = side.people["u1"]
    request = client.build_request(
        timed.method, side.filled(path), params=side.filled(timed.params), json=side.filled(timed.body)
    )
    begun = time.perf_counter()
    answer = client.send(request)
    taken = (time.perf_counter() - begun) * 1000
    if answer.status_code >= 400:
        sys.exit(f"{side.name}: {timed.name}: {answer.status_code} {answer.text[:300]}")
    return taken


def _p95(times: list[float]) -> float:
    return times[int(0.95 * (len(times) - 1))]
