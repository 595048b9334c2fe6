"""A stop reaches every process of a job, whatever dies between the request and its effect."""

import asyncio
import shutil
import time
from pathlib import Path

import pytest
from fractal_jobs.queries import jobs

from .stack import Stack, Step

STOPPED = "Failed due to job-execution shutdown."


async def request_stop(stack: Stack, job_id: int) -> None:
    async with stack.database.transaction() as session:
        await jobs.request_stop(session, job_id)


async def started(stack: Stack, number: int) -> None:
    async with asyncio.timeout(30):
        while len(stack.started()) < number:
            await asyncio.sleep(0.02)


def images(stack: Stack, number: int) -> list[dict[str, str]]:
    return [{"zarr_url": f"{stack.zarr_dir}/{index}"} for index in range(number)]


async def test_running_units_end_within_a_second_and_finished_ones_are_kept(stack: Stack) -> None:
    job_id = await stack.submit([Step("parallel", {}, {"sleep": 0.5}), Step("parallel")], images(stack, 40))
    await started(stack, 6)
    begun = time.monotonic()
    await request_stop(stack, job_id)
    await request_stop(stack, job_id)
    job = await stack.finished(job_id)
    assert time.monotonic() - begun < 3
    assert (job.status, STOPPED in (job.log or "")) == ("failed", True)
    marks = len(stack.started())
    assert marks < 40
    await asyncio.sleep(0.7)
    assert len(stack.started()) == marks


async def test_children_of_a_task_are_ended_with_it(stack: Stack) -> None:
    (stack.root / "puppet.py").write_text(
        "import subprocess, sys, json\n"
        "args = json.load(open(sys.argv[sys.argv.index('--args-json') + 1]))\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
        "open(args['marks'], 'a').write(f'{child.pid}\\n')\n"
        "child.wait()\n"
    )
    job_id = await stack.submit([Step("parallel")], images(stack, 2))
    await started(stack, 2)
    await request_stop(stack, job_id)
    assert (await stack.finished(job_id)).status == "failed"
    for pid in stack.started():
        stat = Path(f"/proc/{pid}/stat")
        assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


async def test_a_job_that_waits_for_its_agent_stops_when_that_is_there(stack: Stack) -> None:
    stack.kill("agent")
    job_id = await stack.submit([Step("parallel", {}, {"sleep": 60})], images(stack, 4))
    await asyncio.sleep(0.5)
    await request_stop(stack, job_id)
    stack.start("agent")
    assert STOPPED in ((await stack.finished(job_id)).log or "")


@pytest.mark.parametrize("victims", [["engine"], ["agent"], ["nats"], ["engine", "agent", "nats"]], ids="+".join)
async def test_a_stop_survives_whatever_dies_after_it(stack: Stack, victims: list[str]) -> None:
    job_id = await stack.submit([Step("parallel", {}, {"sleep": 60})], images(stack, 4))
    await started(stack, 4)
    for name in victims:
        stack.kill(name)
    await request_stop(stack, job_id)
    if "nats" in victims:
        shutil.rmtree(stack.home.directory("nats") / "jetstream")
    for name in reversed(victims):
        stack.start(name)
    job = await stack.finished(job_id, 40)
    assert (job.status, STOPPED in (job.log or "")) == ("failed", True)


async def test_a_cancel_lost_on_its_way_is_said_again(stack: Stack) -> None:
    job_id = await stack.submit([Step("parallel", {}, {"sleep": 60})], images(stack, 2))
    await started(stack, 2)
    stack.kill("agent")
    await request_stop(stack, job_id)
    await asyncio.sleep(0.5)  # the engine has said it, and NATS loses it
    stack.kill("nats")
    shutil.rmtree(stack.home.directory("nats") / "jetstream")
    stack.start("nats")
    stack.start("agent")
    assert STOPPED in ((await stack.finished(job_id, 40)).log or "")
