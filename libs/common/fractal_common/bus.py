"""The message bus: the only module that imports nats.

Delivery only: streams may be wiped at any moment, Postgres and the cluster's files are the truth. Payloads over
`MAX_MESSAGE_BYTES` go to the object store and travel as a reference (a claim check).
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, ObjectStoreConfig, RetentionPolicy, StorageType, StreamConfig
from pydantic import BaseModel

from fractal_common.messages import MAX_MESSAGE_BYTES
from fractal_common.settings import NatsSettings
from fractal_common.telemetry import get_logger

log = get_logger(__name__)

Reply = TypeVar("Reply", bound=BaseModel)

COMMANDS = "FRACTAL_CMD"
EVENTS = "FRACTAL_EVT"
PAYLOADS = "FRACTAL_PAYLOADS"
REFERENCE_HEADER = "Fractal-Payload"

ACK_WAIT_S = 30.0
RPC_TIMEOUT_S = 5.0
SEND_TIMEOUT_S = 0.5
RECONNECT_WAIT_S = 0.25
PAYLOAD_TTL_S = 24 * 3600.0
EVENTS_MAX_AGE_S = 7 * 24 * 3600.0


class BusError(Exception):
    """NATS did not answer, or the agent asked for is not there."""


class NoAgentError(BusError):
    """No agent of the resource is connected."""


@dataclass(frozen=True)
class Delivery:
    """A message of a stream, to be acknowledged when its effect is durable."""

    subject: str
    data: bytes
    attempts: int
    _message: Msg

    async def ack(self) -> None:
        await self._message.ack()

    async def retry(self, delay_s: float = 1.0) -> None:
        await self._message.nak(delay=delay_s)

    async def still_working(self) -> None:
        await self._message.in_progress()


class Consumer(Protocol):
    def fetch(self, count: int, timeout_s: float) -> Awaitable[list[Delivery]]: ...


class _PullConsumer:
    """A durable pull consumer that survives a wiped or restarted server: it binds again when it must."""

    def __init__(self, bus: "Bus", stream: str, durable: str) -> None:
        self._bus = bus
        self._stream = stream
        self._durable = durable
        self._subscription: JetStreamContext.PullSubscription | None = None

    async def fetch(self, count: int, timeout_s: float) -> list[Delivery]:
        """Up to `count` messages, waiting at most `timeout_s` for the first; empty while the bus is away."""
        try:
            if self._subscription is None:
                self._subscription = await self._bus.jetstream.pull_subscribe_bind(
                    consumer=self._durable, stream=self._stream
                )
            messages = await self._subscription.fetch(batch=count, timeout=timeout_s)
        except (TimeoutError, nats.errors.TimeoutError):
            return []
        except Exception as error:  # the server restarted, the stream is gone: bind anew, later
            log.warning("bus.fetch_failed", consumer=self._durable, error=repr(error))
            await self._unbind()
            await asyncio.sleep(RECONNECT_WAIT_S)
            return []
        return [await self._bus.open_delivery(message) for message in messages]

    async def _unbind(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            with suppress(Exception):
                await subscription.unsubscribe()


class Bus:
    """One connection to NATS. Reconnects for ever with backoff."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.jetstream = client.jetstream(timeout=RPC_TIMEOUT_S)

    @classmethod
    async def connect(cls, settings: NatsSettings, *, name: str, inbox_prefix: str = "_INBOX") -> "Bus":
        """Connect, waiting for the server as long as it takes."""

        async def on_error(error: Exception) -> None:
            log.warning("bus.error", error=repr(error))

        async def on_reconnect() -> None:
            log.info("bus.reconnected")

        client = Client()
        password = settings.FRACTAL_NATS_PASSWORD
        await client.connect(
            servers=[settings.FRACTAL_NATS_URL],
            name=name,
            user=settings.FRACTAL_NATS_USER,
            password=password.get_secret_value() if password else None,
            inbox_prefix=inbox_prefix.encode(),
            allow_reconnect=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_WAIT_S,  # pyright: ignore[reportArgumentType] - seconds, fractions work
            connect_timeout=5,
            error_cb=on_error,
            reconnected_cb=on_reconnect,
        )
        return cls(client)

    @property
    def is_connected(self) -> bool:
        return self._client.is_connected

    async def close(self) -> None:
        """What was sent is flushed; nothing is waited for, since all that matters has been acknowledged."""
        with suppress(nats.errors.Error, TimeoutError):
            await self._client.flush(timeout=1)
        await self._client.close()

    async def flush(self) -> None:
        """Wait until the server has processed what was sent so far (subscriptions included)."""
        await self._client.flush()

    async def ensure_streams(self) -> None:
        """Create what is missing; needs the server's own account, not an agent's."""
        wanted = [
            StreamConfig(
                name=COMMANDS,
                subjects=["fractal.cmd.>"],
                retention=RetentionPolicy.WORK_QUEUE,
                storage=StorageType.FILE,
                duplicate_window=120,
            ),
            StreamConfig(
                name=EVENTS,
                subjects=["fractal.evt.>"],
                retention=RetentionPolicy.WORK_QUEUE,
                storage=StorageType.FILE,
                max_age=EVENTS_MAX_AGE_S,
                duplicate_window=120,
            ),
        ]
        for config in wanted:
            try:
                await self.jetstream.add_stream(config)
            except nats.js.errors.BadRequestError:
                await self.jetstream.update_stream(config)
        with suppress(nats.js.errors.BadRequestError):
            await self.jetstream.create_object_store(PAYLOADS, config=ObjectStoreConfig(ttl=PAYLOAD_TTL_S))

    async def ensure_consumer(self, stream: str, durable: str, subject: str, *, max_pending: int = 1000) -> None:
        """A durable pull consumer with explicit acknowledgement; idempotent."""
        await self.jetstream.add_consumer(
            stream,
            ConsumerConfig(
                durable_name=durable,
                filter_subject=subject,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=ACK_WAIT_S,
                max_ack_pending=max_pending,
            ),
        )

    def consumer(self, stream: str, durable: str) -> Consumer:
        return _PullConsumer(self, stream, durable)

    async def publish(self, subject: str, message: BaseModel, *, message_id: str) -> None:
        """Into a stream; returns when the server has it on disk.

        Raises:
            BusError: not stored; publish again later (`message_id` suppresses a duplicate within two minutes).
        """
        data = message.model_dump_json().encode()
        headers = {"Nats-Msg-Id": message_id}
        try:
            if len(data) > MAX_MESSAGE_BYTES:
                store = await self.jetstream.object_store(PAYLOADS)
                await store.put(message_id, data)
                headers[REFERENCE_HEADER] = message_id
                data = b""
            await self.jetstream.publish(subject, data, headers=headers)
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError, OSError) as error:
            raise BusError(f"cannot publish on {subject}: {error!r}") from error

    async def open_delivery(self, message: Msg) -> Delivery:
        """Resolve a claim check; the data of a reference that is gone is empty."""
        data = message.data
        reference = (message.headers or {}).get(REFERENCE_HEADER)
        if reference:
            try:
                store = await self.jetstream.object_store(PAYLOADS)
                data = (await store.get(reference)).data or b""
            except (nats.errors.Error, nats.js.errors.Error, TimeoutError):
                log.warning("bus.payload_missing", reference=reference)
                data = b""
        return Delivery(message.subject, data, message.metadata.num_delivered or 1, message)

    async def request(
        self, subject: str, message: BaseModel, reply: type[Reply], *, timeout_s: float = RPC_TIMEOUT_S
    ) -> Reply:
        """Ask an agent.

        Raises:
            NoAgentError: nobody answers on that subject.
            BusError: no answer in time, NATS is away, or the agent refused (its words are the message).
        """
        try:
            answer = await self._client.request(subject, message.model_dump_json().encode(), timeout=timeout_s)
        except nats.errors.NoRespondersError as error:
            raise NoAgentError(f"no agent answers on {subject}") from error
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise BusError(f"no answer on {subject}: {error!r}") from error
        document: dict[str, Any] = json.loads(answer.data)
        if document.get("type") == "rpc.error.v1":
            raise BusError(str(document.get("error")))
        return reply.model_validate(document)

    async def serve(self, subject: str, handler: Callable[[str, bytes], Awaitable[BaseModel]]) -> None:
        """Answer requests on `subject` (wildcards allowed); the handler gets the subject and the payload."""

        async def on_request(message: Msg) -> None:
            answer = await handler(message.subject, message.data)
            await message.respond(answer.model_dump_json().encode())

        await self._client.subscribe(subject, cb=on_request)

    async def send(self, subject: str, message: BaseModel) -> None:
        """Core publish: at most once, for what is worthless when late."""
        with suppress(nats.errors.Error):
            await self._client.publish(subject, message.model_dump_json().encode())

    async def send_now(self, subject: str, message: BaseModel) -> None:
        """As `send`, and the server has passed it on when this returns; without it, in `SEND_TIMEOUT_S` at most."""
        await self.send(subject, message)
        if self.is_connected:
            with suppress(nats.errors.Error, TimeoutError):
                await self._client.flush(timeout=SEND_TIMEOUT_S)  # pyright: ignore[reportArgumentType] - seconds

    async def listen(self, subject: str, handler: Callable[[str, bytes], Awaitable[None]]) -> None:
        """Core subscribe."""

        async def on_message(message: Msg) -> None:
            await handler(message.subject, message.data)

        await self._client.subscribe(subject, cb=on_message)


@asynccontextmanager
async def connected(settings: NatsSettings, *, name: str) -> AsyncGenerator[Bus]:
    """A bus for the length of a block."""
    bus = await Bus.connect(settings, name=name)
    try:
        yield bus
    finally:
        await bus.close()
