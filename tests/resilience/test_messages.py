"""Messages of another version: parked for an operator, neither dropped nor looped, and sent again when understood."""

import asyncio
import json
from pathlib import Path

from fractal_common.bus import connected
from fractal_common.database.models import OutboxMessage, ParkedMessage
from fractal_common.messages import BatchSubmitted, Message
from fractal_common.settings import NatsSettings
from fractal_jobs.queries import parked
from fractal_server.embedded import nats
from sqlalchemy import select

from .stack import Stack, Step


class Future(Message):
    """What a later release may say."""

    type: str = "batch.teleported.v7"
    batch: str = "b"


async def all_parked(stack: Stack, number: int) -> list[ParkedMessage]:
    async with asyncio.timeout(30):
        while True:
            async with stack.database.session() as session:
                rows = list(await session.scalars(select(ParkedMessage).order_by(ParkedMessage.id)))
            if len(rows) >= number:
                return rows
            await asyncio.sleep(0.05)


async def publish(stack: Stack, subject: str, message: Message, message_id: str) -> None:
    settings = NatsSettings.model_validate(nats.environment(stack.home, stack.nats_port))
    async with connected(settings, name="test") as bus:
        await bus.ensure_streams()
        await bus.publish(subject, message, message_id=message_id)


async def test_what_nobody_understands_is_parked_once_and_all_else_goes_on(stack: Stack, tmp_path: Path) -> None:
    job_id = await stack.submit([Step("parallel")], [{"zarr_url": f"{stack.zarr_dir}/1"}])
    await stack.finished(job_id)
    for number in range(3):
        await publish(stack, "fractal.evt.1.batch.teleported", Future(), f"event-{number}")
        await publish(stack, "fractal.cmd.1.batch.teleport", Future(), f"command-{number}")
    rows = await all_parked(stack, 2)
    async with asyncio.timeout(30):
        while sorted(row.times for row in rows) != [3, 3]:
            rows = await all_parked(stack, 2)
    assert {row.subject for row in rows} == {"fractal.evt.1.batch.teleported", "fractal.cmd.1.batch.teleport"}
    assert {json.loads(row.payload)["type"] for row in rows} == {"batch.teleported.v7"}
    again = await stack.submit([Step("parallel")], [{"zarr_url": f"{stack.zarr_dir}/2"}])
    assert (await stack.finished(again)).status == "done"
    assert len(await all_parked(stack, 2)) == 2


async def test_a_command_outside_the_agents_directories_is_parked(stack: Stack) -> None:
    job_id = await stack.submit([Step("parallel")], [{"zarr_url": f"{stack.zarr_dir}/1"}])
    await stack.finished(job_id)
    payload = {
        "type": "batch.archive.v1",
        "job_id": 1,
        "working_dir": "/etc",
        "workflow_log": "",
    }
    async with stack.database.transaction() as session:
        session.add(OutboxMessage(subject="fractal.cmd.1.batch.archive", payload=payload))
    (row,) = await all_parked(stack, 1)
    assert "not below a directory of this agent's resource" in row.error


async def test_a_parked_message_is_sent_again(stack: Stack) -> None:
    event = BatchSubmitted(batch="gone", handle="1")
    async with stack.database.transaction() as session:
        await parked.park(session, "fractal.evt.1.batch.submitted", event.model_dump_json(), "too new")
        (row,) = list(await session.scalars(select(ParkedMessage)))
        message = await parked.take(session, row.id)
        assert message is not None
        await parked.send_again(session, message, event.model_dump(mode="json"))
    async with asyncio.timeout(30):
        while True:
            async with stack.database.session() as session:
                if await session.scalar(select(OutboxMessage.sent_at)) is not None:
                    break
            await asyncio.sleep(0.05)
    async with stack.database.session() as session:
        assert list(await session.scalars(select(ParkedMessage))) == []
