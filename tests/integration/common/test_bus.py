"""The bus against a real nats-server, with the restricted account of an agent."""

import asyncio
from contextlib import suppress

from fractal_common.bus import COMMANDS, EVENTS, Bus, BusError, NoAgentError
from fractal_common.messages import (
    BatchSubmitted,
    FileChunk,
    FileRead,
    UnitOutcome,
    UnitsFinished,
    command_subject,
    event_subject,
    rpc_subject,
)
from fractal_common.settings import NatsSettings
from pydantic import BaseModel
from pytest import raises

Accounts = tuple[NatsSettings, NatsSettings]


async def test_event_of_an_agent_reaches_the_engine_once(nats_server: Accounts) -> None:
    engine = await Bus.connect(nats_server[0], name="engine")
    agent = await Bus.connect(nats_server[1], name="agent", inbox_prefix="_INBOX.agent")
    try:
        await engine.ensure_streams()
        await engine.ensure_streams()
        await engine.ensure_consumer(EVENTS, "engine-once", "fractal.evt.71.>")
        event = BatchSubmitted(batch="b", handle="1")
        for _ in range(2):
            await agent.publish(event_subject(71, event), event, message_id="b:submitted")
        consumer = engine.consumer(EVENTS, "engine-once")
        deliveries = await consumer.fetch(10, 1.0)
        assert [delivery.subject for delivery in deliveries] == ["fractal.evt.71.batch.submitted"]
        assert BatchSubmitted.model_validate_json(deliveries[0].data) == event
        await deliveries[0].ack()
    finally:
        await agent.close()
        await engine.close()


async def test_large_messages_travel_by_reference(nats_server: Accounts) -> None:
    engine = await Bus.connect(nats_server[0], name="engine")
    agent = await Bus.connect(nats_server[1], name="agent", inbox_prefix="_INBOX.agent")
    try:
        await engine.ensure_streams()
        await engine.ensure_consumer(COMMANDS, "agent-72", "fractal.cmd.72.>")
        outcomes = [UnitOutcome(index=i, status="done", output={"text": "x" * 1000}) for i in range(2000)]
        command = UnitsFinished(batch="b", outcomes=outcomes)
        await engine.publish(command_subject(72, "batch.run"), command, message_id="large-1")
        deliveries = await agent.consumer(COMMANDS, "agent-72").fetch(1, 2.0)
        assert UnitsFinished.model_validate_json(deliveries[0].data) == command
        await deliveries[0].ack()
    finally:
        await agent.close()
        await engine.close()


async def test_an_agent_cannot_give_commands_nor_make_consumers(nats_server: Accounts) -> None:
    agent = await Bus.connect(nats_server[1], name="agent", inbox_prefix="_INBOX.agent")
    try:
        event = BatchSubmitted(batch="b", handle="1")
        with raises(BusError):
            await agent.publish(command_subject(73, "batch.run"), event, message_id="forged")
        with raises(Exception, match=r"(?i)timeout"):
            await agent.ensure_consumer(COMMANDS, "spy", "fractal.cmd.>")
    finally:
        await agent.close()


async def test_requests_are_answered_by_the_agent_or_refused_at_once(nats_server: Accounts) -> None:
    api = await Bus.connect(nats_server[0], name="api")
    agent = await Bus.connect(nats_server[1], name="agent", inbox_prefix="_INBOX.agent")
    try:
        with raises(NoAgentError):
            await api.request(rpc_subject(74, "files.read"), FileRead(path="/x"), FileChunk)

        async def answer(subject: str, data: bytes) -> BaseModel:
            return FileChunk(exists=True, size=len(FileRead.model_validate_json(data).path))

        await agent.serve("fractal.rpc.74.>", answer)
        await agent.flush()
        async with asyncio.timeout(5):
            while True:  # the server needs a moment to forget that nobody answered on this subject
                with suppress(NoAgentError):
                    chunk = await api.request(rpc_subject(74, "files.read"), FileRead(path="/abc"), FileChunk)
                    break
        assert (chunk.exists, chunk.size) == (True, 4)
    finally:
        await agent.close()
        await api.close()
