"""The outbox: written with the state it announces, emptied by the relay."""

import json
from collections.abc import Sequence
from datetime import timedelta

from fractal_common.database.base import utcnow
from fractal_common.database.models import Batch, OutboxMessage, Resource
from fractal_common.messages import Message, command_subject
from fractal_common.types import ResourceType
from sqlalchemy import delete, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_jobs.domain.states import BatchState

ADD = text(
    """
    INSERT INTO jobs.outbox (subject, payload)
    SELECT :subject, v.payload FROM jsonb_array_elements(CAST(:payloads AS jsonb)) WITH ORDINALITY AS v(payload, number)
    ORDER BY v.number
    """
)

ADD_BATCHES = text(
    """
    INSERT INTO jobs.outbox (subject, batch_id)
    SELECT v.subject, v.id FROM unnest(CAST(:subjects AS text[]), CAST(:ids AS int[])) AS v(subject, id) ORDER BY v.id
    """
)


async def add(session: AsyncSession, resource_id: int, verb: str, *messages: Message) -> None:
    """Whole messages, for `fractal.cmd.<resource_id>.<verb>`, in their order."""
    payloads = json.dumps([message.model_dump(mode="json") for message in messages])
    await session.execute(ADD, {"subject": command_subject(resource_id, verb), "payloads": payloads})


async def add_batches(session: AsyncSession, batches: Sequence[tuple[int, int]]) -> None:
    """`batch.run` of each (batch id, resource id); the relay adds the units when it publishes."""
    if batches:
        subjects = [command_subject(resource_id, "batch.run") for _, resource_id in batches]
        await session.execute(ADD_BATCHES, {"subjects": subjects, "ids": [batch_id for batch_id, _ in batches]})


async def take(session: AsyncSession, limit: int) -> list[OutboxMessage]:
    """Oldest unsent messages, locked; those that another replica holds are left to it."""
    statement = (
        select(OutboxMessage)
        .where(OutboxMessage.sent_at.is_(None))
        .order_by(OutboxMessage.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(await session.scalars(statement))


async def mark_sent(session: AsyncSession, ids: Sequence[int]) -> None:
    await session.execute(update(OutboxMessage).where(OutboxMessage.id.in_(ids)).values(sent_at=utcnow()))


async def prune(session: AsyncSession, older_than: timedelta) -> None:
    await session.execute(delete(OutboxMessage).where(OutboxMessage.sent_at < utcnow() - older_than))


async def repeat_silent_batches(
    session: AsyncSession, resources: Sequence[int], silence: timedelta, queue_silence: timedelta
) -> int:
    """Say `batch.run` again for open batches of which nothing was heard; returns for how many.

    Only for resources whose agent is known to live: for the others the first message still waits in the stream.
    `queue_silence` holds where a scheduler's queue comes between: an agent has many batches to tell of there.
    """
    local = select(Resource.id).where(Resource.type == ResourceType.LOCAL)
    silent = (
        select(Batch.id)
        .where(
            Batch.state.not_in([BatchState.ENDED, BatchState.ABANDONED]),
            Batch.remaining > 0,
            Batch.resource_id.in_(resources),
            Batch.heard_at < utcnow() - silence,
            or_(Batch.heard_at < utcnow() - queue_silence, Batch.resource_id.in_(local)),
        )
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    statement = (
        update(Batch).where(Batch.id.in_(silent)).values(heard_at=utcnow()).returning(Batch.id, Batch.resource_id)
    )
    rows = list(await session.execute(statement))
    await add_batches(session, rows)
    return len(rows)
