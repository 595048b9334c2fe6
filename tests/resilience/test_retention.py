"""What is kept for a while is removed by the engine when its time has come, and nothing else is."""

import asyncio

from fractal_common.database.models import HistoryUnit, Job, JobEvent, OutboxMessage, ParkedMessage
from sqlalchemy import func, select

from . import chaos
from .stack import Stack, Step
from .test_messages import Future, all_parked, publish

KEPT = (OutboxMessage, JobEvent, ParkedMessage)


async def counts(stack: Stack) -> list[int]:
    async with stack.database.session() as session:
        return [(await session.scalar(select(func.count()).select_from(table))) or 0 for table in KEPT]


async def test_sent_messages_events_and_parked_messages_go_when_their_time_has_come(stack: Stack) -> None:
    job_id = await stack.submit([Step("parallel")], [{"zarr_url": f"{stack.zarr_dir}/1"}])
    await stack.finished(job_id)
    await publish(stack, "fractal.evt.1.batch.teleported", Future(), "event")
    await all_parked(stack, 1)
    stack.kill("engine")
    stack.start("engine")
    await stack.finished(await stack.submit([Step("parallel")], [{"zarr_url": f"{stack.zarr_dir}/2"}]))
    assert min(await counts(stack)) > 0, "by default they are kept for longer than a test takes"
    await chaos.all_sent(stack, "before the restart")
    argv, environment = stack.commands["engine"]
    names = ("OUTBOX", "JOB_EVENTS", "PARKED_MESSAGES")
    stack.commands["engine"] = (argv, environment | {f"FRACTAL_{name}_KEEP_DAYS": "0.000001" for name in names})
    stack.kill("engine")
    stack.start("engine")
    async with asyncio.timeout(30):
        while any(await counts(stack)):
            await asyncio.sleep(0.05)
    async with stack.database.session() as session:
        assert len(list(await session.scalars(select(Job.id)))) == 2
        assert len(list(await session.scalars(select(HistoryUnit.id)))) == 2
