"""What every HTTP app of the project has: error handlers and the slow-request log."""

import time
from datetime import datetime

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fractal_common.http.errors import install_error_handlers

log = structlog.get_logger("slow-response")


class SlowRequestLog:
    """Warns about requests that take longer than `threshold_s` seconds."""

    def __init__(self, app: ASGIApp, threshold_s: float) -> None:
        self.app = app
        self.threshold_s = threshold_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self.app(scope, receive, watch)
        seconds = time.perf_counter() - start
        if seconds > self.threshold_s:
            log.warning(
                "slow-response",
                method=scope["method"],
                path=scope["path"],
                status=status,
                seconds=round(seconds, 2),
                end=datetime.now().astimezone().isoformat(timespec="milliseconds"),
            )


def prepare(app: FastAPI, *, long_request_time_s: float) -> FastAPI:
    """Install what is common to all services."""
    install_error_handlers(app)
    app.add_middleware(SlowRequestLog, threshold_s=long_request_time_s)
    return app
