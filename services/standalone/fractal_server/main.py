"""The whole REST surface on one port: `uvicorn` or `gunicorn fractal_server.main:app`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import fractal_auth.app
import fractal_jobs.app
from fastapi import FastAPI
from fractal_common.http.app import prepare
from fractal_common.settings import app_settings

from fractal_server.backend import standing_by


@asynccontextmanager
async def connections(app: FastAPI) -> AsyncGenerator[None]:
    """Both services read the same database: one pool serves them."""
    async with (
        standing_by() as nats,
        fractal_jobs.app.connections(app, nats),
        fractal_auth.app.announcing(app, nats),
    ):
        yield


def create_app() -> FastAPI:
    app = FastAPI(lifespan=connections)
    app.include_router(fractal_auth.app.routes())
    app.include_router(fractal_jobs.app.routes())
    return prepare(app, long_request_time_s=app_settings().FRACTAL_LONG_REQUEST_TIME)


app = create_app()
