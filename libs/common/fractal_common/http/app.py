"""What every HTTP app of the project has: error handlers, the limit of bodies and the slow-request log."""

import logging
import time
from datetime import datetime, timedelta

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fractal_common.http.bodies import BodyLimit
from fractal_common.http.errors import install_error_handlers

log = logging.getLogger("slow-response")

QUERY_NOT_LOGGED = "query_not_logged"
"""Set in a request's state: its query is in no log."""


class SlowRequestLog:
    """Warns about requests that take longer than `threshold_s` seconds, in one line of a form that scripts know.

    `<method> <route>?<query>, <status>, <seconds>, <start>, <end>`
    """

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
            end = datetime.now().astimezone()
            path = getattr(scope.get("route"), "path", scope["path"])
            query = "" if scope.get("state", {}).get(QUERY_NOT_LOGGED) else scope["query_string"].decode("latin-1")
            times = ((end - timedelta(seconds=seconds)), end)
            shown = ", ".join(moment.isoformat(timespec="milliseconds") for moment in times)
            log.warning(f"{scope['method']} {path}?{query}, {status}, {seconds:.2f}, {shown}")


class WithoutContent:
    """A 204 says nothing of a content type: there is none."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def bare(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 204:
                message["headers"] = [header for header in message["headers"] if header[0] != b"content-type"]
            await send(message)

        await self.app(scope, receive, bare if scope["type"] == "http" else send)


def prepare(app: FastAPI, *, long_request_time_s: float) -> FastAPI:
    """Install what is common to all services."""
    install_error_handlers(app)
    app.add_middleware(WithoutContent)
    app.add_middleware(BodyLimit)
    app.add_middleware(SlowRequestLog, threshold_s=long_request_time_s)
    return app
