"""The session of a request: one transaction, committed when the endpoint has returned."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from fractal_jobs.api.principals import database


def _constraint(error: IntegrityError) -> str | None:
    return getattr(getattr(error.orig, "diag", None), "constraint_name", None)


async def flush(session: AsyncSession, constraint: str, detail: Any) -> None:
    """Write what is new; a race that the constraint decided is refused with the endpoint's own text."""
    try:
        await session.flush()
    except IntegrityError as error:
        if _constraint(error) != constraint:
            raise
        raise HTTPException(422, detail) from None


async def _session(request: Request) -> AsyncGenerator[AsyncSession]:
    try:
        async with database(request).transaction() as session:
            yield session
    except IntegrityError as error:
        # A race past an endpoint's own check: the unique index or foreign key had the last word.
        raise HTTPException(422, f"Conflict with a concurrent change (constraint {_constraint(error)}).") from None
    except StaleDataError:
        raise HTTPException(422, "What the request changes was deleted meanwhile.") from None


async def _reading(request: Request) -> AsyncGenerator[AsyncSession]:
    async with database(request).reading() as session:
        yield session


Reading = Annotated[AsyncSession, Depends(_reading, scope="function")]
"""For routes that only read."""
Session = Annotated[AsyncSession, Depends(_session, scope="function")]
"""Committed before the response is sent: what was answered is durable."""
