"""The session of a request: one transaction, committed when the endpoint has returned."""

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError

from fractal_jobs.api.principals import database


async def _session(request: Request) -> AsyncGenerator[AsyncSession]:
    try:
        async with database(request).transaction() as session:
            yield session
    except IntegrityError as error:
        # A race past an endpoint's own check: the unique index or foreign key had the last word.
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        raise HTTPException(422, f"Conflict with a concurrent change (constraint {constraint}).") from None
    except StaleDataError:
        raise HTTPException(422, "What the request changes was deleted meanwhile.") from None


Session = Annotated[AsyncSession, Depends(_session, scope="function")]
"""Committed before the response is sent: what was answered is durable."""
