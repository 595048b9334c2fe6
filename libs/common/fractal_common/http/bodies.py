"""Limits of what a request may carry."""

from fastapi import HTTPException
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MIB = 1024 * 1024
DEFAULT_LIMIT = 200 * MIB
"""Of routes that take archives and lists of images; the gateway has the same."""
LIMITS = {"/auth/": 1 * MIB}
"""Of routes below a path that take less."""


class BodyLimit:
    """Answers 413 to a body over the limit of its route: at once if its length is told, else when it gets there."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        limit = next((limit for prefix, limit in LIMITS.items() if path.startswith(prefix)), DEFAULT_LIMIT)
        refusal = f"The request body is larger than {limit // MIB} MiB, the limit of this route."
        told = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if int(told) > limit:
            await JSONResponse({"detail": refusal}, status_code=413)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    raise HTTPException(413, refusal)
            return message

        await self.app(scope, counted, send)
