"""The relay: outbox → JetStream. A row is marked as sent only when the server has the message on disk."""

import asyncio
import base64
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

from fractal_common.bus import Bus, BusError
from fractal_common.database.models import Batch, OutboxMessage, TaskGroupActivity
from fractal_common.database.sessions import Database
from fractal_common.messages import BatchRun, Command, EnvironmentCommand, EnvironmentFinished, Event, UnitSpec
from fractal_common.settings import RetentionSettings, load
from fractal_common.telemetry import get_logger
from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_jobs.domain.slurm_jobs import in_script_order
from fractal_jobs.domain.states import BatchState
from fractal_jobs.engine.activities import OPEN, record
from fractal_jobs.queries import activities, batches, events, outbox, parked

log = get_logger(__name__)

MESSAGES_AT_A_TIME = 50
POLL_INTERVAL_S = 2.0
RETRY_INTERVAL_S = 0.5
PRUNE_INTERVAL_S = 60.0
LOG_SUFFIX = "-log.txt"

_messages: TypeAdapter[Command | Event] = TypeAdapter(Command | Event)


class Relay:
    """Woken by a NOTIFY, with a slow poll behind it."""

    def __init__(self, database: Database, bus: Bus, wake: asyncio.Event, restore: asyncio.Event) -> None:
        self._database = database
        self._bus = bus
        self._wake = wake
        self._keep = load(RetentionSettings)
        self._restore = restore
        """Set when publishing fails: the streams may have to be made again."""

    async def run(self) -> None:
        next_prune = 0.0
        while True:
            self._wake.clear()
            if time.monotonic() >= next_prune:
                await self._prune()
                next_prune = time.monotonic() + PRUNE_INTERVAL_S
            try:
                while await self._send_some() == MESSAGES_AT_A_TIME:
                    pass
            except BusError as error:
                log.warning("relay.retry", error=str(error))
                self._restore.set()
                await asyncio.sleep(RETRY_INTERVAL_S)
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), POLL_INTERVAL_S)

    async def _send_some(self) -> int:
        async with self._database.transaction() as session:
            rows = await outbox.take(session, MESSAGES_AT_A_TIME)
            runs = await _batch_runs(session, [row.batch_id for row in rows if row.batch_id is not None])
            for row in rows:
                message = runs.get(row.batch_id) if row.batch_id is not None else await _render(session, row)
                if message is not None:
                    await self._bus.publish(row.subject, message, message_id=f"outbox-{row.id}")
            await outbox.mark_sent(session, [row.id for row in rows])
        return len(rows)

    async def _prune(self) -> None:
        async with self._database.transaction() as session:
            await outbox.prune(session, timedelta(days=self._keep.FRACTAL_OUTBOX_KEEP_DAYS))
            await events.prune(session, timedelta(days=self._keep.FRACTAL_JOB_EVENTS_KEEP_DAYS))
            await parked.prune(session, timedelta(days=self._keep.FRACTAL_PARKED_MESSAGES_KEEP_DAYS))


async def _render(session: AsyncSession, row: OutboxMessage) -> Command | Event | None:
    """The message of a row that names no batch; None if what it was about is over."""
    if row.activity_id is not None:
        return await _environment(session, row.activity_id)
    return None if row.payload is None else _messages.validate_python(row.payload)


async def _environment(session: AsyncSession, activity_id: int) -> EnvironmentCommand | None:
    activity = await session.get(TaskGroupActivity, activity_id)
    if activity is None or activity.status not in OPEN or activity.command is None:
        return None
    if activity.command["path"] is None:
        # Tasks without an environment of ours: the cluster has nothing of them, and their end needs no agent.
        log_text = f"Task group {activity.taskgroupv2_id} has no folder: only its tasks go."
        await record(session, EnvironmentFinished(activity_id=activity_id, succeeded=True, log=log_text))
        return None
    archive = await activities.archive(session, activity_id)
    content = (
        {}
        if archive is None
        else {"archive_name": archive.filename, "archive_base64": base64.b64encode(archive.content).decode()}
    )
    return EnvironmentCommand.model_validate({**activity.command, "activity_id": activity.id, **content})


async def _batch_runs(session: AsyncSession, ids: list[int]) -> dict[int, BatchRun]:
    """Commands of the batches that are not over: of all in two statements."""
    if not ids:
        return {}
    found = await batches.with_specs(session, ids)
    inputs = await batches.inputs(session, list(found))
    over = {BatchState.ENDED, BatchState.ABANDONED}
    return {batch.id: _batch_run(batch, inputs[batch.id]) for batch in found.values() if batch.state not in over}


def _batch_run(batch: Batch, rows: list[batches.Input]) -> BatchRun:
    fields: dict[str, Any] = {
        **batch.spec,
        "batch": batch.name,
        "job_id": batch.job_id,
        "units": [
            UnitSpec(index=index, name=PurePosixPath(file).name.removesuffix(LOG_SUFFIX), before=before, after=after)
            for index, file, before, after in rows
        ],
        "results_known": len(rows) - batch.remaining,
    }
    run = BatchRun.model_validate(fields)
    return run.model_copy(update={"slurm": in_script_order(run.slurm)}) if run.slurm else run
