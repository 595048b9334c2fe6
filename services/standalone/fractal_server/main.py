"""The whole REST surface on one port: `uvicorn` or `gunicorn fractal_server.main:app`."""

import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import fractal_auth.app
import fractal_jobs.app
from fastapi import FastAPI
from fractal_common import REFERENCE_VERSION
from fractal_common.http.app import prepare
from fractal_common.settings import DatabaseSettings, EmailSettings, app_settings, load
from fractal_common.telemetry import configure_logging, log_settings

from fractal_server.backend import standing_by


@asynccontextmanager
async def connections(app: FastAPI) -> AsyncGenerator[None]:
    """Both services read the same database: one pool serves them."""
    logging.getLogger("lifespan.startup").info(f"START (fractal-server {REFERENCE_VERSION})")
    log_settings(load(DatabaseSettings), app_settings(), load(EmailSettings))
    async with (
        standing_by() as nats,
        fractal_jobs.app.connections(app, nats),
        fractal_auth.app.announcing(app, nats),
    ):
        logging.getLogger("lifespan.startup").info("END")
        yield
        logging.getLogger("lifespan.teardown").info(f"START: worker with pid {os.getpid()} is shutting down")
    logging.getLogger("lifespan.teardown").info("END")


def create_app() -> FastAPI:
    configure_logging("server")
    app = FastAPI(lifespan=connections)
    fractal_auth.app.add_routes(app)
    fractal_jobs.app.add_routes(app)
    return prepare(app, long_request_time_s=app_settings().FRACTAL_LONG_REQUEST_TIME)


app = create_app()
