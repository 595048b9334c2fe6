"""A list costs as many statements for many rows as for few, and loads nothing that it does not show."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fractal_common import settings
from fractal_common.database.models import (
    AccountingRecord,
    Dataset,
    DatasetImage,
    Job,
    Project,
    ProjectMember,
    Task,
    TaskGroup,
    TaskGroupActivity,
    Workflow,
    WorkflowTask,
    WorkflowTemplate,
)
from fractal_common.security import issue_token
from fractal_common.settings import NatsSettings
from fractal_jobs.app import connections, create_app
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from .rows import first_rows

KEY = "a key of at least thirty-two bytes for tests"
FEW, MANY = 2, 12


@dataclass
class Service:
    """The jobs service in this process, on a database of its own, and the statements that a request makes."""

    app: FastAPI
    http: httpx.AsyncClient
    statements: list[str] = field(default_factory=list[str])

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, list[str]]:
        """Length of the answer's list, and the statements."""
        await self.http.get("/api/v2/project/")  # who asks is known from now on
        self.statements.clear()
        answer = await self.http.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        return len(found["items"] if isinstance(found, dict) else found), list(self.statements)


@asynccontextmanager
async def serving(nats: NatsSettings) -> AsyncGenerator[Service]:
    app = create_app()
    async with connections(app, nats):
        transport = httpx.ASGITransport(app)
        token = issue_token(1, key=KEY, lifetime_s=600)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as http:
            service = Service(app, http)

            def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
                service.statements.append(statement)

            for engine in (app.state.database.engine, app.state.database.readers):
                event.listen(engine.sync_engine, "before_cursor_execute", note)
            yield service


@pytest.fixture
async def service(
    database_environment: dict[str, str],
    nats_server: tuple[NatsSettings, NatsSettings],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncGenerator[Service]:
    for name, value in {**database_environment, "JWT_SECRET_KEY": KEY}.items():
        monkeypatch.setenv(name, value)
    cached = (settings.database_settings, settings.app_settings)
    for function in cached:
        function.cache_clear()
    async with serving(nats_server[0]) as service:
        async with service.app.state.database.transaction() as session:
            await first_rows(session)
        yield service
    for function in cached:
        function.cache_clear()
    await asyncio.sleep(0)


async def add(session: AsyncSession, first: int, last: int) -> None:
    """Projects with a dataset, a workflow of as many tasks, and a job each; task groups with activities."""
    numbers = range(first, last)
    dump = {"id": 1, "name": "x", "project_id": 1, "timestamp_created": "2026-01-01T00:00:00Z", "zarr_dir": "/me"}
    small = {name: dump[name] for name in ("id", "name", "timestamp_created")}
    rows: list[list[Any]] = [
        [Project(id=number, name=f"p{number}", resource_id=1) for number in numbers],
        [
            ProjectMember(project_id=number, user_id=1, is_owner=True, is_verified=True, permissions="rwx")
            for number in numbers
        ],
        # Half of them in project 1, so that its own lists grow as well.
        [
            row(id=number, name=f"{number}", project_id=1 if number % 2 else number, **more)
            for number in numbers
            for row, more in ((Dataset, {"zarr_dir": "/me/x"}), (Workflow, {}))
        ],
        [DatasetImage(dataset_id=number, zarr_url=f"/me/x/{number}") for number in numbers],
        [
            TaskGroup(id=number, user_id=1, resource_id=1, origin="other", pkg_name=f"t{number}", version="1")
            for number in numbers
        ],
        [
            Task(
                id=number, name=f"t{number}", type="parallel", version="1", command_parallel="x", taskgroupv2_id=number
            )
            for number in numbers
        ],
        [
            WorkflowTask(workflow_id=workflow, task_id=number, order=number, task_type="parallel")
            for number in numbers
            for workflow in (1, number)
        ],
        [
            TaskGroupActivity(
                user_id=1,
                taskgroupv2_id=number,
                pkg_name="t",
                version="1",
                status="OK",
                action="deactivate",
                fractal_server_version="1",
            )
            for number in numbers
        ],
        [
            Job(
                project_id=1,
                workflow_id=1,
                dataset_id=number,
                user_email="me@example.org",
                status="done",
                log="long",
                dataset_dump=dump,
                workflow_dump={name: dump[name] for name in ("id", "name", "project_id", "timestamp_created")},
                project_dump=small,
                fractal_server_version="1",
                first_task_index=0,
                last_task_index=0,
            )
            for number in numbers
        ],
        [
            WorkflowTemplate(
                user_id=1, name=f"t{number}", version=1, fractal_server_version="1", data={"name": "w", "task_list": []}
            )
            for number in numbers
        ],
        [AccountingRecord(user_id=1, num_tasks=1, num_new_images=0) for _ in numbers],
    ]
    for group in rows:
        session.add_all(group)
        await session.flush()


# Method and path of each list, and what its statements must not name: columns that it does not show.
LISTS = {
    "GET /api/v2/project/": ["datasetimage", "workflowtaskv2"],
    "GET /api/v2/dataset/": ["datasetimage.attributes", "datasetimage.types"],
    "GET /api/v2/project/1/dataset/": ["datasetimage"],
    "GET /api/v2/project/1/workflow/": ["datasetimage"],
    "GET /api/v2/project/1/workflow/1/type-filters-flow/": ["datasetimage"],
    "GET /api/v2/project/1/workflow/1/version-update-candidates/": ["workflowtaskv2.args_parallel"],
    "GET /api/v2/workflow-template/": ["workflowtemplate.data"],
    "GET /api/v2/job/?log=false": ["jobv2.log"],
    "GET /api/v2/project/1/job/?log=false": ["jobv2.log"],
    "GET /api/v2/task/": ["args_schema_parallel", "args_schema_non_parallel", "meta_parallel"],
    "GET /api/v2/task-group/": ["args_schema_parallel", "args_schema_non_parallel", "meta_parallel", "env_info"],
    "GET /api/v2/task-group/activity/": ["taskgroupactivityv2.command"],
    "GET /admin/v2/project/": ["datasetimage", "workflowtaskv2"],
    "GET /admin/v2/linkuserproject/": ["datasetimage"],
    "GET /admin/v2/job/?log=false&page_size=100": ["jobv2.log"],
    "GET /admin/v2/task/?page_size=100": ["args_schema_parallel", "args_schema_non_parallel", "meta_parallel"],
    "GET /admin/v2/task-group/?page_size=100": ["env_info"],
    "GET /admin/v2/task-group/activity/": ["taskgroupactivityv2.command"],
    "POST /admin/v2/accounting/": ["jobv2"],
}
MAX_STATEMENTS = 6


async def test_no_statement_a_row(service: Service) -> None:
    async with service.app.state.database.transaction() as session:
        await add(session, 1, 1 + FEW)
    few = {name: await service.ask(*name.split(), body={} if "POST" in name else None) for name in LISTS}
    async with service.app.state.database.transaction() as session:
        await add(session, 1 + FEW, 1 + MANY)
    for name, hidden in LISTS.items():
        length, statements = await service.ask(*name.split(), body={} if "POST" in name else None)
        assert length > few[name][0], name
        assert len(statements) == len(few[name][1]) <= MAX_STATEMENTS, (name, statements)
        for column in hidden:
            assert not [statement for statement in statements if column in statement], (name, column)


async def test_a_page_is_cut_by_the_database(service: Service) -> None:
    async with service.app.state.database.transaction() as session:
        await add(session, 1, 1 + MANY)
    for name in LISTS:
        method, path = name.split()
        if not path.startswith("/admin"):
            continue
        paged = f"{path.split('?')[0]}?page=2&page_size=5"
        length, statements = await service.ask(method, paged, body={} if method == "POST" else None)
        assert length == 5, name
        assert any("LIMIT" in statement and "OFFSET" in statement for statement in statements), (name, statements)
