"""How an app of ours is served by uvicorn, alone or as a child of a stack."""

import uvicorn
from fastapi import FastAPI

from fractal_common.settings import ServingSettings, load


def serve(app: FastAPI, *, host: str, port: int) -> None:
    """Until SIGTERM; open requests and streams then have `FRACTAL_GRACEFUL_SHUTDOWN_TIME` to end."""
    uvicorn.run(
        app,
        host=host,
        port=port,
        access_log=False,
        proxy_headers=True,
        log_config=None,
        timeout_graceful_shutdown=round(load(ServingSettings).FRACTAL_GRACEFUL_SHUTDOWN_TIME),
    )
