"""Lists ask the database as often for many rows as for few (the app runs in this process, to count)."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fractal_common.settings import app_settings, database_settings
from fractal_jobs.app import create_app
from sqlalchemy import event

from .server import Person, Server

FEW, MANY = 1, 4
AT_MOST = 9
"""Statements of any of the lists."""
LISTS = [
    "GET /api/v2/project/",
    "GET /api/v2/project/{project}/",
    "GET /api/v2/project/{project}/dataset/",
    "GET /api/v2/dataset/",
    "GET /api/v2/project/{project}/workflow/",
    "GET /api/v2/project/{project}/workflow/{workflow}/",
    "GET /api/v2/project/{project}/workflow/{workflow}/export/",
    "GET /api/v2/project/{project}/workflow/{workflow}/type-filters-flow/",
    "GET /api/v2/project/{project}/workflow/{workflow}/version-update-candidates/",
    "GET /api/v2/project/{project}/workflow/{workflow}/job/",
    "GET /api/v2/project/{project}/job/",
    "GET /api/v2/project/{project}/latest-job/?workflow_id={workflow}&dataset_id={dataset}",
    "GET /api/v2/project/{project}/guest/",
    "GET /api/v2/project/invitation/",
    "GET /api/v2/project/{project}/status/run/?dataset_id={dataset}&workflowtask_id={wftask}",
    "GET /api/v2/project/{project}/status/run/{run}/units/?dataset_id={dataset}&workflowtask_id={wftask}",
    "POST /api/v2/project/{project}/status/images/?dataset_id={dataset}&workflowtask_id={wftask}",
    "POST /api/v2/project/{project}/dataset/{dataset}/images/query/",
    "POST /api/v2/project/{project}/dataset/{dataset}/images/verify-unique-types/?workflowtask_id={wftask}",
    "GET /api/v2/project/{project}/dataset/{dataset}/export/",
    "GET /api/v2/job/",
    "GET /api/v2/task/",
    "GET /api/v2/task-group/",
    "GET /api/v2/task-group/activity/",
    "GET /api/v2/workflow-template/",
    "GET /admin/v2/project/",
    "GET /admin/v2/job/",
    "GET /admin/v2/task/",
    "GET /admin/v2/task-group/",
    "GET /admin/v2/task-group/activity/",
    "GET /admin/v2/linkuserproject/",
    "POST /admin/v2/accounting/",
]


@dataclass
class Counted:
    """The app, and the statements that it sends."""

    http: httpx.AsyncClient
    statements: list[str] = field(default_factory=list[str])

    async def count(self, route: str, person: Person, ids: dict[str, int]) -> int:
        method, path = route.format(**ids).split()
        headers = {"Authorization": person.api.http.headers["Authorization"]}
        arguments: dict[str, Any] = {"json": {}} if method == "POST" else {}
        # Once before: what a first reader makes for those after it is not counted.
        for _ in range(2):
            self.statements.clear()
            answer = await self.http.request(method, path, headers=headers, **arguments)
            assert answer.status_code == 200, f"{route}: {answer.status_code} {answer.text}"
        return len(self.statements)


@pytest.fixture
async def counted(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Counted]:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    cached = (app_settings, database_settings)
    for settings in cached:
        settings.cache_clear()
    app = create_app()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here", timeout=60) as http,
    ):
        counted = Counted(http)

        def note(*arguments: Any) -> None:
            counted.statements.append(arguments[2])

        for engine in (app.state.database.engine, app.state.database.readers):
            event.listen(engine.sync_engine, "before_cursor_execute", note)
        yield counted
    for settings in cached:
        settings.cache_clear()


def made(server: Server, person: Person, guest: Person, many: int) -> dict[str, int]:
    """So many of everything that lists show; ids of one of each."""
    api = person.api
    tasks = [api.puppet_task(server.folder, f"task {server.new_email()}") for _ in range(many)]
    project, dataset, workflow = api.prepared(server.folder, tasks[0], images=many)
    base = f"/api/v2/project/{project}/"
    for number in range(many):
        api.post("/api/v2/project/", {"name": f"more {number}"})
        api.post(f"{base}dataset/", {"name": f"more {number}"})
        other = api.post(f"{base}workflow/", {"name": f"more {number}"})["id"]
        items = [{"task_id": task, "args_parallel": {"marks": str(server.folder / "marks")}} for task in tasks]
        api.post(f"{base}workflow/{other}/wftask/", items)
        api.post("/api/v2/workflow-template/", {"name": "t", "version": number + 1}, workflow_id=other)
        api.finished(project, api.submit(project, dataset, workflow))
    api.post(f"{base}guest/", {"permissions": "r"}, email=guest.email)
    wftask = api.get(f"{base}workflow/{workflow}/")["task_list"][0]["id"]
    run = api.get(f"{base}status/run/", dataset_id=dataset, workflowtask_id=wftask)[0]["id"]
    return {"project": project, "dataset": dataset, "workflow": workflow, "wftask": wftask, "run": run}


async def test_lists_take_as_many_statements_for_many_rows_as_for_few(server: Server, counted: Counted) -> None:
    superuser = {"is_superuser": True}
    one, other, guest = server.person(**superuser), server.person(**superuser), server.person()
    few, many = made(server, one, guest, FEW), made(server, other, guest, MANY)
    wrong: list[str] = []
    for route in LISTS:
        numbers = await counted.count(route, one, few), await counted.count(route, other, many)
        if numbers[0] != numbers[1] or numbers[1] > AT_MOST:
            wrong.append(f"{route}: {numbers[0]} statements for {FEW} row(s), {numbers[1]} for {MANY}")
    assert wrong == []
