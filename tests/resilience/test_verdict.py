"""A job that an administrator declares failed: its work ends, whatever dies between the verdict and its effect."""

import asyncio
import shutil

import httpx
import pytest
from fractal_common.database.models import Batch, HistoryUnit, Job, User
from fractal_common.security import issue_token
from sqlalchemy import select, update

from tests.processes import is_alive, until

from .stack import Stack, Step

ENDED_WITHIN_S = 40


async def started(stack: Stack, number: int) -> None:
    async with asyncio.timeout(30):
        while len(stack.started()) < number:
            await asyncio.sleep(0.02)


def images(stack: Stack, number: int) -> list[dict[str, str]]:
    return [{"zarr_url": f"{stack.zarr_dir}/{index}"} for index in range(number)]


async def running(stack: Stack) -> int:
    """A job with two processes that would go on for a minute, and an api that its administrator can ask."""
    stack.start("api")
    job_id = await stack.submit([Step("parallel", {}, {"sleep": 60}), Step("parallel")], images(stack, 2))
    times = {"timestamp_created": "2026-01-01T00:00:00Z", "name": "x", "id": 1}
    parts = times | {"project_id": 1}
    async with stack.database.transaction() as session:
        await session.execute(update(User).values(is_superuser=True))
        dumps = {"project_dump": times, "workflow_dump": parts, "dataset_dump": parts | {"zarr_dir": "/x"}}
        await session.execute(update(Job).values(**dumps))
    url = f"http://127.0.0.1:{stack.api_ports['api']}"
    await asyncio.to_thread(until, lambda: is_alive(url), "the api answers")
    await started(stack, 2)
    return job_id


def declare_failed(stack: Stack, job_id: int) -> httpx.Response:
    url = f"http://127.0.0.1:{stack.api_ports['api']}/admin/v2/job/{job_id}/"
    token = issue_token(1, key=stack.jwt_key, lifetime_s=600)
    return httpx.patch(url, json={"status": "failed"}, headers={"Authorization": f"Bearer {token}"}, timeout=20)


async def batches_ended(stack: Stack) -> list[str | None]:
    """Causes of all batches, once the agent has told the end of each."""
    async with asyncio.timeout(ENDED_WITHIN_S):
        while True:
            async with stack.database.session() as session:
                rows = (await session.execute(select(Batch.state, Batch.cause))).all()
            if all(state == "ended" for state, _ in rows):
                return [cause for _, cause in rows]
            await asyncio.sleep(0.1)


async def verdict_holds(stack: Stack, job_id: int, log: str) -> None:
    async with stack.database.session() as session:
        statuses = set(await session.scalars(select(HistoryUnit.status)))
    job = await stack.finished(job_id)
    assert (job.status, job.log, statuses) == ("failed", log, {"failed"})
    assert stack.kill_workers() == 0


@pytest.mark.parametrize("victims", [["engine"], ["agent"], ["nats"], ["engine", "agent", "nats"]], ids="+".join)
async def test_the_work_ends_whatever_is_dead_at_the_time(stack: Stack, victims: list[str]) -> None:
    job_id = await running(stack)
    for name in victims:
        stack.kill(name)
    answer = declare_failed(stack, job_id)
    assert answer.status_code == 200, answer.text
    if "nats" in victims:
        shutil.rmtree(stack.home.directory("nats") / "jetstream")
    for name in reversed(victims):
        stack.start(name)
    assert await batches_ended(stack) == ["STOPPED"]
    await verdict_holds(stack, job_id, answer.json()["log"])


async def test_a_cancel_lost_on_its_way_is_said_again(stack: Stack) -> None:
    job_id = await running(stack)
    stack.kill("agent")
    answer = declare_failed(stack, job_id)
    assert answer.status_code == 200, answer.text
    await asyncio.sleep(0.5)  # the engine has said it, and NATS loses it
    stack.kill("nats")
    shutil.rmtree(stack.home.directory("nats") / "jetstream")
    stack.start("nats")
    stack.start("agent")
    assert await batches_ended(stack) == ["STOPPED"]
    await verdict_holds(stack, job_id, answer.json()["log"])
