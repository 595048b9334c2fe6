"""Messages that nobody understood, kept for an operator."""

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from fractal_common.database.base import utcnow
from fractal_common.database.models import OutboxMessage, ParkedMessage
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

NEW_EACH_TIME = ("id", "time")


async def park(session: AsyncSession, subject: str, payload: str, error: str) -> None:
    """Once for each content: what is said again and again is counted."""
    statement = insert(ParkedMessage).values(subject=subject, payload=payload, error=error, key=_key(subject, payload))
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[ParkedMessage.key],
            set_={"times": ParkedMessage.times + 1, "parked_at": utcnow(), "payload": payload, "error": error},
        )
    )


def _key(subject: str, payload: str) -> str:
    try:
        content: Any = json.loads(payload)
    except ValueError:
        content = payload
    if isinstance(content, dict):
        fields = cast("dict[str, Any]", content)
        content = {name: value for name, value in fields.items() if name not in NEW_EACH_TIME}
    return hashlib.sha256(json.dumps([subject, content], sort_keys=True).encode()).hexdigest()


async def page(session: AsyncSession, *, offset: int, limit: int | None) -> tuple[int, Sequence[ParkedMessage]]:
    """Total count, and a page, newest first."""
    total = await session.scalar(select(func.count()).select_from(ParkedMessage))
    statement = select(ParkedMessage).order_by(ParkedMessage.parked_at.desc(), ParkedMessage.id.desc())
    return total or 0, list(await session.scalars(statement.offset(offset).limit(limit)))


async def take(session: AsyncSession, message_id: int) -> ParkedMessage | None:
    """One, locked: of two who want it one gets it."""
    return await session.scalar(select(ParkedMessage).where(ParkedMessage.id == message_id).with_for_update())


async def send_again(session: AsyncSession, message: ParkedMessage, payload: dict[str, Any]) -> None:
    """Into the outbox and out of here, in one transaction."""
    session.add(OutboxMessage(subject=message.subject, payload=payload))
    await session.delete(message)


async def prune(session: AsyncSession, older_than: timedelta) -> None:
    await session.execute(delete(ParkedMessage).where(ParkedMessage.parked_at < utcnow() - older_than))
