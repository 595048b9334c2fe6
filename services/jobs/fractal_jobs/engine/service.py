"""An engine replica: relay, events, due jobs, reconciliation, side by side in one process."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import timedelta

from fractal_common.bus import COMMANDS, EVENTS, Bus, Delivery
from fractal_common.database.listening import notifications
from fractal_common.database.models import Resource
from fractal_common.database.sessions import Database
from fractal_common.messages import AgentHeartbeat, Event
from fractal_common.settings import DatabaseSettings
from fractal_common.telemetry import get_logger
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select

from fractal_jobs.domain.joblog import clean_text
from fractal_jobs.engine.advance import advance
from fractal_jobs.engine.recording import TooEarly, record
from fractal_jobs.engine.relay import Relay
from fractal_jobs.queries import abandoning, activities, executions, outbox, parked

log = get_logger(__name__)

CONSUMER = "engine"
EVENTS_AT_A_TIME = 100
TOGETHER_FROM = 8
"""Fewer are recorded one by one: each has its effect at once."""
FETCH_TIMEOUT_S = 5.0
DUE_POLL_INTERVAL_S = 1.0
DUE_AT_A_TIME = 20
JOBS_AT_A_TIME = 4
RECONCILE_INTERVAL_S = 2.0
STREAMS_INTERVAL_S = 5.0
LISTEN_RETRY_S = 1.0
ERROR_PAUSE_S = 1.0
AGENT_ALIVE_S = 10.0
SILENCE = timedelta(seconds=15)
QUEUE_SILENCE = timedelta(seconds=60)
ACTIVITY_SILENCE = timedelta(seconds=60)
STOP_REPEAT = timedelta(seconds=2)
EARLY_DELAY_S = 0.2
MAX_ATTEMPTS = 10

_events: TypeAdapter[Event] = TypeAdapter(Event)


class Engine:
    """Holds nothing that is not in Postgres, but for when each agent was last heard of."""

    def __init__(self, settings: DatabaseSettings, bus: Bus) -> None:
        self._settings = settings
        self._database = Database.connect(settings, process="fractal-jobs-engine")
        self._bus = bus
        self._outbox_woken = asyncio.Event()
        self._jobs_woken = asyncio.Event()
        self._named: list[int] = []
        """Jobs that Postgres has just said to be due."""
        self._restore = asyncio.Event()
        self._agents: dict[int, float] = {}

    async def run(self) -> None:
        """Until cancelled; a part that ends by an error is started again after a pause."""
        relay = Relay(self._database, self._bus, self._outbox_woken, self._restore)
        await self._bus.listen("fractal.agent.*.heartbeat", self._on_heartbeat)
        parts = (relay.run, self._keep_streams, self._listen, self._take_events, self._take_due, self._reconcile)
        try:
            async with asyncio.TaskGroup() as group:
                for part in parts:
                    group.create_task(self._forever(part), name=getattr(part, "__qualname__", "?"))
        finally:
            await self._database.close()

    async def _forever(self, part: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await part()
            except Exception as error:
                log.error("engine.part_failed", part=getattr(part, "__qualname__", "?"), error=repr(error))
                await asyncio.sleep(ERROR_PAUSE_S)

    async def _on_heartbeat(self, subject: str, data: bytes) -> None:
        self._agents[AgentHeartbeat.model_validate_json(data).resource_id] = time.monotonic()

    async def _keep_streams(self) -> None:
        """Streams and consumers exist, also after NATS has lost everything; a new resource gets its consumer."""
        while True:
            self._restore.clear()
            async with self._database.session() as session:
                resources = list(await session.scalars(select(Resource.id)))
            await self._bus.ensure_streams()
            await self._bus.ensure_consumer(EVENTS, CONSUMER, "fractal.evt.>")
            for resource_id in resources:
                await self._bus.ensure_consumer(COMMANDS, f"agent-{resource_id}", f"fractal.cmd.{resource_id}.>")
            try:
                await asyncio.wait_for(self._restore.wait(), STREAMS_INTERVAL_S)
            except TimeoutError:
                continue

    async def _listen(self) -> None:
        """NOTIFYs of Postgres become events of this process."""
        woken = {"fractal_outbox": self._outbox_woken, "fractal_engine": self._jobs_woken}
        async for notification in notifications(self._settings, list(woken), process="fractal-jobs-engine-listen"):
            if notification is not None and notification[1]:
                self._named.append(int(notification[1]))
            for event in woken.values() if notification is None else [woken[notification[0]]]:
                event.set()
        await asyncio.sleep(LISTEN_RETRY_S)

    async def _take_due(self) -> None:
        """Jobs just submitted, stopped, or with all results in, and those whose replica died before it could go on.

        Several at a time: a large job does not hold up the others.
        """
        at_work: dict[int, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                self._jobs_woken.clear()
                due = await self._due(at_work)
                for job_id in due[: JOBS_AT_A_TIME - len(at_work)]:
                    task = at_work[job_id] = group.create_task(self._advance(job_id))
                    task.add_done_callback(lambda _, job_id=job_id: self._advanced(at_work, job_id))
                try:
                    await asyncio.wait_for(self._jobs_woken.wait(), DUE_POLL_INTERVAL_S)
                except TimeoutError:
                    continue

    async def _due(self, at_work: Collection[int]) -> list[int]:
        """Those named, which need no query; else all, longest waiting first."""
        named, self._named = [job_id for job_id in dict.fromkeys(self._named) if job_id not in at_work], []
        if named and len(named) + len(at_work) <= JOBS_AT_A_TIME:
            return named
        async with self._database.session() as session:
            return await executions.due(session, DUE_AT_A_TIME, except_for=list(at_work))

    async def _advance(self, job_id: int) -> None:
        """A job that could not be advanced stays due: it is tried again at the next poll."""
        try:
            await advance(self._database, job_id)
        except Exception as error:
            log.error("job.not_advanced", job_id=job_id, error=repr(error))
            await asyncio.sleep(ERROR_PAUSE_S)

    def _advanced(self, at_work: dict[int, asyncio.Task[None]], job_id: int) -> None:
        del at_work[job_id]
        self._jobs_woken.set()

    async def _take_events(self) -> None:
        consumer = self._bus.consumer(EVENTS, CONSUMER)
        while True:
            deliveries = await consumer.fetch(EVENTS_AT_A_TIME, FETCH_TIMEOUT_S)
            if len(deliveries) < TOGETHER_FROM or not await self._take_together(deliveries):
                for delivery in deliveries:
                    await self._take_event(delivery)

    async def _take_together(self, deliveries: Sequence[Delivery]) -> bool:
        """Many for one commit; False, and without effect, if one of them has to be looked at by itself."""
        try:
            events = [_events.validate_json(delivery.data) for delivery in deliveries]
            async with self._database.transaction() as session:
                for event in events:
                    await record(session, event, last_attempt=False)
                    await session.flush()
                    session.expunge_all()  # the next one reads what this one wrote
        except Exception as error:
            log.info("events.one_by_one", count=len(deliveries), error=repr(error))
            return False
        for delivery in deliveries:
            await delivery.ack()
        return True

    async def _take_event(self, delivery: Delivery) -> None:
        """Acknowledged when its effect is committed; what nobody understands is parked, neither lost nor looped."""
        try:
            event = _events.validate_json(delivery.data)
        except ValidationError as error:
            await self._park(delivery, str(error.errors()[0]["msg"]))
            return
        try:
            async with self._database.transaction() as session:
                await record(session, event, last_attempt=delivery.attempts >= MAX_ATTEMPTS)
        except TooEarly:
            await delivery.retry(EARLY_DELAY_S)
            return
        except Exception as error:
            log.error("event.failed", subject=delivery.subject, attempts=delivery.attempts, error=repr(error))
            if delivery.attempts >= MAX_ATTEMPTS:
                await self._park(delivery, repr(error))
            else:
                await delivery.retry(ERROR_PAUSE_S)
            return
        await delivery.ack()

    async def _park(self, delivery: Delivery, error: str) -> None:
        log.error("event.parked", subject=delivery.subject, error=error)
        async with self._database.transaction() as session:
            await parked.park(session, delivery.subject, clean_text(delivery.data.decode("utf-8", "replace")), error)
        await delivery.ack()

    async def _reconcile(self) -> None:
        """Say again what a living agent may not have heard: batches gone silent, stops that have no effect."""
        while True:
            await asyncio.sleep(RECONCILE_INTERVAL_S)
            alive = [resource for resource, seen in self._agents.items() if time.monotonic() - seen < AGENT_ALIVE_S]
            if alive:
                async with self._database.transaction() as session:
                    repeated = await outbox.repeat_silent_batches(session, alive, SILENCE, QUEUE_SILENCE)
                    repeated += await abandoning.repeat_cancels(session, alive, SILENCE)
                    await executions.wake_stopping(session, alive, STOP_REPEAT)
                    repeated += await activities.repeat_silent(session, alive, ACTIVITY_SILENCE)
                if repeated:
                    log.info("commands.repeated", count=repeated)
