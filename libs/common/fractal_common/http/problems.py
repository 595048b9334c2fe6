"""Errors as RFC 9457 problem documents, for routes that clients of the reference do not know.

`detail` is there as on all other routes, so a client that reads only that one reads both.
"""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import HTTPException, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


def problem(status: int, detail: Any) -> JSONResponse:
    """`about:blank`: there is no more to the problem than its status says."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(jsonable_encoder(body), status_code=status, media_type=MEDIA_TYPE)


class ProblemRoute(APIRoute):
    """A route, for `APIRouter(route_class=…)`, whose errors are problem documents."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                return problem(422, error.errors())
            except HTTPException as error:
                return problem(error.status_code, error.detail)

        return handler
