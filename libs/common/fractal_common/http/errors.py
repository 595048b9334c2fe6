"""Errors on the wire: `{"detail": …}`, exactly as the contract has them.

HTTPException (FastAPI)     routes raise it with the contract's code and text
DetailWithData              adds `data` beside `detail` (workflow import)
database unavailable        503, so that clients know to try again
"""

from typing import Any

import structlog
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from starlette.responses import Response

log = structlog.get_logger(__name__)

DATA_MARKER = "[HAS_ERROR_DATA]"


class DetailWithData(HTTPException):
    """An error whose `data` tells clients more; `detail` then ends with `[HAS_ERROR_DATA]`."""

    def __init__(self, status_code: int, data: Any, text: str = "") -> None:
        super().__init__(status_code, f"{text} {DATA_MARKER}".strip())
        self.data = data


async def _with_data(request: Request, error: Exception) -> Response:
    assert isinstance(error, DetailWithData)
    return JSONResponse({"detail": error.detail, "data": error.data}, status_code=error.status_code)


async def _database(request: Request, error: Exception) -> Response:
    assert isinstance(error, DBAPIError)
    log.error("database.error", path=request.url.path, error=str(error.orig))
    unavailable = error.connection_invalidated or isinstance(error, InterfaceError | OperationalError)
    if unavailable:
        return JSONResponse({"detail": "The database is not available, please retry."}, status_code=503)
    if isinstance(error, DataError):  # number out of range, NUL or malformed text
        return JSONResponse({"detail": "A value in the request is out of range or has forbidden characters."}, 422)
    return PlainTextResponse("Internal Server Error", status_code=500)


def install_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(DetailWithData, _with_data)
    app.add_exception_handler(DBAPIError, _database)
