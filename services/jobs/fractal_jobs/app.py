"""The HTTP application of the jobs service."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI
from fractal_common.bus import Bus
from fractal_common.database.sessions import Database
from fractal_common.http.app import prepare
from fractal_common.messages import USER_CHANGED
from fractal_common.settings import (
    JobsApiSettings,
    NatsSettings,
    app_settings,
    database_settings,
    email_settings,
    load,
    oauth_settings,
)
from fractal_common.telemetry import get_logger

from fractal_jobs.api import (
    accounts,
    activities,
    admin,
    administration,
    collection,
    datasets,
    general,
    history,
    images,
    jobs,
    live,
    parked,
    presubmission,
    projects,
    sharing,
    squeue,
    submit,
    taskgroups,
    taskreplacement,
    tasks,
    templates,
    usage,
    workflowimport,
    workflows,
    workflowtasks,
)
from fractal_jobs.api.agents import Agents
from fractal_jobs.api.listening import Listener
from fractal_jobs.api.principals import Principal
from fractal_jobs.api.recent import RecentAccounts

SUBMISSIONS_AT_A_TIME = 2
log = get_logger(__name__)


def add_routes(app: FastAPI) -> None:
    """Every route of the service; literal paths come before those with an id in their place.

    Without routers in routers: each level would cost as much at the start as the routes themselves.
    """
    app.include_router(general.router)
    for module in (
        sharing,
        projects,
        datasets,
        images,
        taskreplacement,
        workflowtasks,
        submit,
        squeue,
        jobs,
        live,
        usage,
        history,
        presubmission,
        workflowimport,
        workflows,
        templates,
        collection,
        tasks,
        taskgroups,
        activities,
    ):
        app.include_router(module.router, prefix="/api/v2")
    for router in admin.routers:
        app.include_router(router, prefix="/admin/v2", tags=["Admin area"])
    for module in (administration, accounts, parked):
        app.include_router(module.router)


@asynccontextmanager
async def connections(app: FastAPI, nats: NatsSettings | None = None) -> AsyncGenerator[None]:
    """Database and bus for the life of the app; neither is waited for. `nats`: as configured if not given."""
    app.state.database = Database.connect(database_settings(), process="fractal-jobs-api")
    cluster = app.state.agents = Agents()

    recent: RecentAccounts[Principal] = RecentAccounts()
    app.state.recent = recent

    async def connect() -> None:
        cluster.bus = await Bus.connect(nats or load(NatsSettings), name="fractal-jobs-api")
        await cluster.bus.listen(USER_CHANGED, recent.on_change)

    app.state.listener = Listener(database_settings())
    app.state.submissions = asyncio.Semaphore(SUBMISSIONS_AT_A_TIME)
    background = [asyncio.create_task(connect()), asyncio.create_task(app.state.listener.run())]
    try:
        yield
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        if cluster.bus is not None:
            await cluster.bus.close()
        await app.state.database.close()


def create_app() -> FastAPI:
    """The service alone: its OpenAPI document has the auth service's routes as well, if that can be asked."""
    app = FastAPI(lifespan=connections)
    add_routes(app)
    for settings in (database_settings, email_settings, oauth_settings):
        settings()  # what is wrong with them is told now, not to whoever asks for them
    prepare(app, long_request_time_s=app_settings().FRACTAL_LONG_REQUEST_TIME)
    auth_url = load(JobsApiSettings).FRACTAL_AUTH_URL
    if auth_url is not None:
        _merge_openapi(app, auth_url)
    return app


def _merge_openapi(app: FastAPI, auth_url: str) -> None:
    own = app.openapi

    def merged() -> dict[str, object]:
        document = dict(own())
        try:
            other = httpx.get(f"{auth_url}/auth/openapi.json", timeout=2).raise_for_status().json()
        except httpx.HTTPError as error:
            log.warning("openapi.auth_missing", error=repr(error))
            return document
        document["paths"] = {**other["paths"], **own()["paths"]}
        components = own().get("components", {})
        parts = {**other.get("components", {}), **components}
        document["components"] = {
            name: {**other.get("components", {}).get(name, {}), **components.get(name, {})} for name in parts
        }
        return document

    app.openapi = merged  # pyright: ignore[reportAttributeAccessIssue] - FastAPI documents this as the way
