"""Errors on the wire: `{"detail": …}`, exactly as the contract has them.

HTTPException (FastAPI)     routes raise it with the contract's code and text
DetailWithData              adds `data` beside `detail` (workflow import)
database unavailable        503, so that clients know to try again
invalid requests            422, also when what was sent is not JSON that could be sent back
"""

import math
from collections.abc import Sequence
from typing import Any, cast

import structlog
from fastapi import FastAPI, HTTPException, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from starlette.responses import Response

log = structlog.get_logger(__name__)

PROGRAM_LIMITS = "54"
"""Class of SQLSTATEs: for Postgres they are operational errors, for us the sender's."""
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
    if (getattr(error.orig, "sqlstate", None) or "").startswith(PROGRAM_LIMITS):
        return JSONResponse({"detail": "A value in the request is too long for an index of the database."}, 422)
    unavailable = error.connection_invalidated or isinstance(error, InterfaceError | OperationalError)
    if unavailable:
        return JSONResponse({"detail": "The database is not available, please retry."}, status_code=503)
    if isinstance(error, DataError):  # number out of range, NUL or malformed text
        return JSONResponse({"detail": "A value in the request is out of range or has forbidden characters."}, 422)
    return PlainTextResponse("Internal Server Error", status_code=500)


async def _invalid(request: Request, error: Exception) -> Response:
    """Python reads NaN, infinities and lone surrogates from JSON; the answer quotes them as text."""
    assert isinstance(error, RequestValidationError)
    errors = error.errors()
    try:
        return _unprocessable(errors)
    except RecursionError:  # what was sent is nested too deeply to be quoted
        return _unprocessable([{**one, "input": None} for one in errors])


def _unprocessable(errors: Sequence[Any]) -> Response:
    encoded = jsonable_encoder(errors, custom_encoder={bytes: _text})
    return JSONResponse({"detail": _sendable(encoded)}, status_code=422)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _sendable(value: Any) -> Any:
    if isinstance(value, dict):
        given = cast("dict[str, Any]", value)
        return {_sendable(key): _sendable(item) for key, item in given.items()}
    if isinstance(value, list):
        return [_sendable(item) for item in cast("list[Any]", value)]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return value


def install_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(DetailWithData, _with_data)
    app.add_exception_handler(DBAPIError, _database)
