"""Limits of a site are waited at, and the agent keeps to its own."""

import asyncio
import time

import pytest
from fractal_agent.backends.slurm.limits import TokenBucket
from fractal_common.messages import QueueRead, QueueSnapshot, rpc_subject

from tests.slurm.accounts import SERVICE
from tests.slurm.cluster import ACCOUNT
from tests.slurm.site import Site

LIMITS = {
    "AssocMaxSubmitJobLimit": ("user", SERVICE, "where", f"account={ACCOUNT}", "set", "MaxSubmitJobs={}"),
    "QOSMaxSubmitJobPerUserLimit": ("qos", "normal", "set", "MaxSubmitJobsPerUser={}"),
}


@pytest.mark.parametrize("limit", LIMITS)
async def test_a_limit_on_submitted_jobs_is_waited_at(site: Site, limit: str) -> None:
    *change, value = LIMITS[limit]
    site.slurm.manage("modify", *change, value.format(2))
    try:
        wave = site.wave("limit", batches=5, sleep=0.5)
        await site.say(*wave)
        await site.finish(*wave, timeout_s=120)
    finally:
        site.slurm.manage("modify", *change, value.format(-1))
    assert {event.cause for event in site.finished.values()} == {"COMPLETED"}
    assert site.started("limit") == list(range(5))
    assert "meaning=limit" in site.log()
    assert limit in site.log()


async def test_an_array_that_the_site_refuses_is_submitted_as_smaller_ones(site: Site) -> None:
    """The site's limit becomes smaller than the agent has read when it started."""
    (first,) = site.wave("first")
    await site.say(first)
    await site.finish(first)
    with site.slurm.configured(MaxArraySize="10"):
        wave = site.wave("arrays", batches=12)
        await site.say(*wave)
        await site.finish(*wave, timeout_s=120)
    assert "Invalid job array specification" in site.log()
    assert {event.cause for event in site.finished.values()} == {"COMPLETED"}
    assert site.started("arrays") == list(range(12))
    jobs = [site.handles[run.batch].partition("_")[0] for run in wave]
    assert [jobs.count(job) for job in dict.fromkeys(jobs)] == [10, 2]


async def test_the_agents_own_window(quiet_site: Site) -> None:
    site = quiet_site
    site.start(FRACTAL_AGENT_SLURM_JOBS_PER_USER="2")
    wave = site.wave("window", batches=5, sleep=1)
    await site.say(*wave)
    most = 0
    queued = ("squeue", "-h", "-r", "-t", "PD,R,CG", "-n", site.job_name, "-o", "%i")

    def look() -> bool:
        nonlocal most
        most = max(most, len(site.slurm.run(*queued).split()))
        return all(run.batch in site.finished for run in wave)

    await site.until(look, timeout_s=120)
    assert site.started("window") == list(range(5))
    # One that has ended, as its worker says, may still be on its way out of the queue.
    assert 2 <= most <= 4


async def test_an_array_is_no_larger_than_it_may_be(quiet_site: Site) -> None:
    site = quiet_site
    site.start(FRACTAL_AGENT_SLURM_ARRAY_SIZE="10")
    wave = site.wave("arrays", batches=12)
    await site.say(*wave)
    await site.finish(*wave)
    jobs = {handle.partition("_")[0] for handle in site.handles.values()}
    assert len(jobs) == 2
    names = {file.name.rpartition("-")[0] for file in (site.folder("arrays") / "0_task").glob("*.out")}
    assert names == {f"par-{number:06d}-slurm" for number in range(12)}


async def test_commands_a_second() -> None:
    bucket = TokenBucket(rate_per_s=50, burst=5)
    start = time.monotonic()
    await asyncio.gather(*(bucket.take() for _ in range(15)))
    assert 0.19 < time.monotonic() - start < 1


async def test_the_queue_as_people_know_it(site: Site) -> None:
    (run,) = site.wave("queue", options={"begin": "now+1hour"})
    await site.say(run)
    await site.until(lambda: run.batch in site.handles)
    shown = ("squeue", "--format=%.12i %.9P %.24j %.14u %.14a %.11T %.12M %.6D %.4C %.10m %R")
    header, *lines = site.slurm.run(*shown).splitlines()
    subject = rpc_subject(site.resource_id, "queue")
    async with asyncio.timeout(20):
        while True:
            answer = await site.bus.request(subject, QueueRead(username=SERVICE), QueueSnapshot)
            if any(site.handles[run.batch] in line for line in answer.lines):
                break
            await asyncio.sleep(0.2)
    assert answer.header == header
    (line,) = [line for line in lines if line.split()[0] == site.handles[run.batch]]
    assert line in answer.lines
    none = await site.bus.request(subject, QueueRead(accounts=["nobodys"]), QueueSnapshot)
    assert (none.lines, none.total) == ([], 0)
    await site.cancel(run)
    await site.finish(run)
