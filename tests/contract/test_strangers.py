"""Every route below `/api/v2` that names something, as somebody to whom it does not belong."""

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api import Api

from .examples import Examples
from .levels import STRANGERS
from .server import Person, Server

# Where the schema says less than the validation.
BODIES: dict[str, Any] = {
    "POST /api/v2/project/{project_id}/dataset/import/": {"name": "x", "zarr_dir": "/x", "images": []},
    "POST /api/v2/project/{project_id}/dataset/{dataset_id}/images/": {"zarr_url": "/x/y"},
    "PATCH /api/v2/project/{project_id}/dataset/{dataset_id}/images/": {"zarr_url": "/x/y"},
    "POST /api/v2/project/{project_id}/status/image-log/": {
        "workflowtask_id": 1,
        "dataset_id": 1,
        "zarr_url": "/x",
    },
}


@dataclass(frozen=True)
class Possessions:
    """What one user has, by the names of path and query parameters."""

    owner: Person
    ids: dict[str, Any]


@pytest.fixture(scope="module")
def possessions(server: Server) -> Possessions:
    owner = server.person()
    api = owner.api
    task = api.puppet_task(server.folder, name=f"Puppet of {owner.email}")
    project, dataset, workflow = api.prepared(server.folder, task, images=1)
    job = api.submit(project, dataset, workflow)
    assert api.finished(project, job)["status"] == "done"
    base = f"/api/v2/project/{project}"
    (workflow_task,) = api.get(f"{base}/workflow/{workflow}/")["task_list"]
    (run,) = api.get(f"{base}/status/run/", dataset_id=dataset, workflowtask_id=workflow_task["id"])
    (unit,) = api.get(f"{base}/status/run/{run['id']}/units/", dataset_id=dataset, workflowtask_id=workflow_task["id"])[
        "items"
    ]
    private = api.post(
        "/api/v2/task/",
        {"name": f"private {time.monotonic_ns()}", "type": "parallel", "version": "1", "command_parallel": "x"},
        private=True,
    )
    group = private["taskgroupv2_id"]
    activity = api.post(f"/api/v2/task-group/{group}/deactivate/", status=202)["id"]
    api.post(f"/api/v2/task-group/{group}/reactivate/", status=202)
    template = api.post("/api/v2/workflow-template/", {"name": "mine", "version": 1}, workflow_id=workflow)["id"]
    return Possessions(
        owner,
        {
            "project_id": project,
            "dataset_id": dataset,
            "workflow_id": workflow,
            "workflow_task_id": workflow_task["id"],
            "workflowtask_id": workflow_task["id"],
            "job_id": job,
            "history_run_id": run["id"],
            "history_unit_id": unit["id"],
            "task_id": private["id"],
            "task_group_id": group,
            "task_group_activity_id": activity,
            "template_id": template,
        },
    )


@pytest.fixture(scope="module")
def strangers(server: Server) -> Generator[dict[str, Api]]:
    yield {
        "another user": server.person().api,
        "a superuser": server.person(is_superuser=True).api,
        "a guest account": server.person(is_guest=True).api,
    }


def test_what_belongs_to_somebody_else_is_out_of_reach(
    server: Server, possessions: Possessions, strangers: dict[str, Api]
) -> None:
    examples = Examples(server.admin.get("/openapi.json"), possessions.ids)
    named = [route for route in examples.routes() if " /api/v2/" in route and "{" in route]
    assert STRANGERS.keys() - set(named) == set()
    wrong: list[str] = []
    for route in named:
        expected = STRANGERS.get(route, 403)
        for who, api in strangers.items():
            method, url, arguments = examples.request(route, BODIES.get(route))
            answer = api.http.request(method, url, **arguments)
            refused_as_guest = who == "a guest account" and answer.status_code == 403
            if answer.status_code != expected and not refused_as_guest:
                wrong.append(f"{route} as {who}: {answer.status_code} {answer.text[:200]}, expected {expected}")
    assert not wrong, "\n".join(wrong)


def test_the_owner_reads_all_of_it(server: Server, possessions: Possessions) -> None:
    """So that what others are refused is there."""
    examples = Examples(server.admin.get("/openapi.json"), possessions.ids)
    read = [route for route in examples.routes() if route.startswith("GET /api/v2/") and "{" in route]
    statuses = {}
    for route in read:
        if route.endswith(("/stop/", "/events/")):
            continue  # of a running job
        method, url, arguments = examples.request(route)
        statuses[route] = possessions.owner.api.http.request(method, url, **arguments).status_code
    assert len(statuses) > 20
    assert {route: status for route, status in statuses.items() if status != 200} == {}
