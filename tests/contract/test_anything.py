"""Whatever is sent to any route: never a 500 (schemathesis makes up the requests, from our OpenAPI document)."""

from collections.abc import Generator
from contextlib import suppress
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from tests.conftest import PostgresServer

from .conftest import started
from .server import Server

EXAMPLES = 3
# Answers that last as long as a job does, and one that sends away whoever is logged in.
SKIPPED = {"/api/v2/project/{project_id}/job/{job_id}/events/", "/auth/token/logout/"}
bounded = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def own_server(postgres_server: PostgresServer) -> Generator[Server]:
    """Nobody else's: what is made up may change or remove anything."""
    with started(postgres_server, "anything") as server:
        yield server


@pytest.fixture(scope="module")
def known(own_server: Server) -> dict[str, Any]:
    """Ids of things that are there: with others a request ends at the first look-up."""
    api = own_server.admin
    task = api.puppet_task(own_server.folder)
    project, dataset, workflow = api.prepared(own_server.folder, task, images=2)
    job = api.submit(project, dataset, workflow)
    api.finished(project, job)
    wftask = api.get(f"/api/v2/project/{project}/workflow/{workflow}/")["task_list"][0]["id"]
    which = {"dataset_id": dataset, "workflowtask_id": wftask}
    run = api.get(f"/api/v2/project/{project}/status/run/", **which)[0]["id"]
    unit = api.get(f"/api/v2/project/{project}/status/run/{run}/units/", **which)["items"][0]["id"]
    template = api.post("/api/v2/workflow-template/", {"name": "t", "version": 1}, workflow_id=workflow)["id"]
    return {
        "project_id": project,
        "dataset_id": dataset,
        "workflow_id": workflow,
        "job_id": job,
        "task_id": task,
        "task_group_id": api.get(f"/api/v2/task/{task}/")["taskgroupv2_id"],
        "workflow_task_id": wftask,
        "workflowtask_id": wftask,
        "history_run_id": run,
        "history_unit_id": unit,
        "template_id": template,
        "resource_id": api.get("/admin/v2/resource/")[0]["id"],
        "profile_id": own_server.profile_id,
    }


def failures(
    operation: Any, mode: GenerationMode, url: str, session: requests.Session, ids: dict[str, Any]
) -> list[str]:
    """Requests that the server failed to answer; each is also sent with `ids` in place of those made up."""
    found: list[str] = []

    @bounded
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: schemathesis.Case) -> None:
        for known in [{}, ids] if ids else [{}]:
            for place in (case.path_parameters, case.query):
                place.update({name: value for name, value in known.items() if name in place})
            answer = case.call(base_url=url, session=session, timeout=30)
            if answer.status_code >= 500:
                found.append(f"{case.method} {answer.request.url} {case.body!r:.300}: {answer.text[:300]}")

    # A route that takes nothing can be sent nothing wrong.
    with suppress(Unsatisfiable):
        send()
    return found


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_route_fails(own_server: Server, known: dict[str, Any], mode: GenerationMode) -> None:
    document = own_server.admin.get("/openapi.json")
    found: list[str] = []
    with requests.Session() as session:
        session.headers["Authorization"] = own_server.admin.http.headers["Authorization"]
        for result in schemathesis.openapi.from_dict(document).get_all_operations():
            operation = result.ok()
            if operation.path not in SKIPPED:
                # What removes things comes with made-up ids only.
                ids = {} if operation.method == "delete" else known
                found += failures(operation, mode, own_server.url, session, ids)
    assert found == []
