"""What dies, at any moment: no job is lost, and none is submitted twice (accounting counts them)."""

import asyncio
import random
import signal
import subprocess
from pathlib import Path

import pytest
from fractal_common.messages import BatchRun

from tests.processes import children_of
from tests.slurm.site import Site


async def assert_each_ran_once(site: Site, name: str, wave: list[BatchRun]) -> None:
    """All units once, and as many SLURM jobs as batches."""
    assert {event.cause for event in site.finished.values()} == {"COMPLETED"}
    units = [unit.index for run in wave for unit in run.units]
    assert site.started(name) == sorted(units)
    assert sorted(index for run in wave for index in site.outcomes[run.batch]) == sorted(units)
    await site.until(lambda: len(site.slurm_jobs()) >= len(wave))
    assert len(site.slurm_jobs()) == len(wave)


def submissions(site: Site, name: str) -> list[Path]:
    return list((site.folder(name) / ".fractal" / "waves").glob("*/submission-*.json"))


def kill_all(site: Site) -> None:
    """The agent and everything that it started, at once: as when the machine goes."""
    agent = site.agents[-1]
    children = children_of(agent.pid)
    site.kill(agent)
    for pid in [*children, *(grandchild for child in children for grandchild in children_of(child))]:
        subprocess.run(["kill", "-9", str(pid)], check=False, capture_output=True)


@pytest.mark.parametrize("seed", range(2))
async def test_the_agent_is_killed_at_random_moments_around_sbatch(site: Site, seed: int) -> None:
    chance = random.Random(seed)
    wave = site.wave("random", batches=8, units=2)
    await site.say(*wave)
    for number in range(5):
        await asyncio.sleep(chance.uniform(0.3, 2.5))
        (kill_all if number % 2 else lambda site: site.kill())(site)
        site.start()
    await site.say(*wave)  # as an engine does that hears nothing
    await site.finish(*wave, timeout_s=120)
    await assert_each_ran_once(site, "random", wave)


@pytest.mark.parametrize("with_sbatch", [False, True])
async def test_the_agent_is_killed_while_sbatch_waits_for_slurmctld(site: Site, with_sbatch: bool) -> None:
    wave = site.wave("during", batches=3)
    site.slurm.send("slurmctld", signal.SIGSTOP)
    try:
        await site.say(*wave)
        await site.until(lambda: submissions(site, "during"))
        await asyncio.sleep(1)
        if with_sbatch:
            kill_all(site)
        else:
            site.kill()
    finally:
        site.slurm.send("slurmctld", signal.SIGCONT)
    site.start()
    await site.finish(*wave, timeout_s=120)
    await assert_each_ran_once(site, "during", wave)


async def test_the_agent_is_dead_while_jobs_start_run_and_end(site: Site) -> None:
    wave = site.wave("dead", batches=4, units=3, sleep=0.5)
    await site.say(*wave)
    await site.until(lambda: len(site.handles) == 4)
    site.kill()
    job = min(handle.partition("_")[0] for handle in site.handles.values())
    known = ("squeue", "-h", "-t", "all", "-j", job)
    while site.slurm.run(*known, check=False).strip():
        await asyncio.sleep(1)
    site.start()
    await site.finish(*wave)
    await assert_each_ran_once(site, "dead", wave)


async def test_sbatch_gets_no_answer_but_the_job_is_made(quiet_site: Site) -> None:
    site = quiet_site
    site.start(FRACTAL_AGENT_SLURM_TIMEOUT_S="2")
    wave = site.wave("timeout", batches=3)
    site.slurm.send("slurmctld", signal.SIGSTOP)
    try:
        await site.say(*wave)
        await site.until(lambda: "meaning=unknown" in site.log(), timeout_s=30)
    finally:
        site.slurm.send("slurmctld", signal.SIGCONT)
    await site.finish(*wave, timeout_s=120)
    await assert_each_ran_once(site, "timeout", wave)


async def test_slurmctld_is_away_for_a_while(site: Site) -> None:
    running = site.wave("before", batches=2, units=2, sleep=4)
    await site.say(*running)
    await site.until_started("before", 4)
    site.slurm.kill("slurmctld", signal.SIGTERM)
    later = site.wave("after", batches=2)
    await site.say(*later)
    await site.finish(*running, timeout_s=60)
    assert not any(run.batch in site.finished for run in later)
    site.slurm.start_slurmctld()
    await site.finish(*later, timeout_s=120)
    assert {event.cause for event in site.finished.values()} == {"COMPLETED"}
    assert site.started("before") == [0, 1, 2, 3]
    assert site.started("after") == [0, 1]
    await site.until(lambda: len(site.slurm_jobs()) >= 4)
    assert len(site.slurm_jobs()) == 4


async def test_slurmctld_is_away_for_minutes(site: Site) -> None:
    """Jobs that end meanwhile, jobs that do not, and jobs that are asked for meanwhile; the agent is killed once."""
    short = site.wave("short", batches=2, units=2, sleep=20)
    long = site.wave("long", batches=2, units=2, sleep=130)
    await site.say(*short, *long)
    await site.until_started("short", 4)
    await site.until_started("long", 4)
    site.slurm.kill("slurmctld", signal.SIGTERM)
    away = asyncio.get_running_loop().time()
    later = site.wave("later", batches=3)
    await site.say(*later)
    await site.finish(*short, timeout_s=60)
    site.kill()
    site.start()
    more = site.wave("more", batches=3)
    await site.say(*more, *later)
    await site.until(lambda: asyncio.get_running_loop().time() - away > 122, timeout_s=130)
    assert not any(run.batch in site.finished for run in (*long, *later, *more))
    site.slurm.start_slurmctld()
    wave = [*short, *long, *later, *more]
    await site.finish(*wave, timeout_s=150)
    assert {event.cause for event in site.finished.values()} == {"COMPLETED"}
    for name in ("short", "long"):
        assert site.started(name) == [0, 1, 2, 3]
    for name in ("later", "more"):
        assert site.started(name) == [0, 1, 2]
    await site.until(lambda: len(site.slurm_jobs()) >= len(wave))
    assert len(site.slurm_jobs()) == len(wave)


async def test_a_node_daemon_is_killed_and_comes_back(site: Site) -> None:
    node = site.slurm.shape.node_names[0]
    (run,) = site.wave("slurmd", units=4, processes=2, sleep=2, options={"nodelist": node})
    await site.say(run)
    await site.until_started("slurmd", 2)
    site.slurm.kill(f"slurmd.{node}")
    site.slurm.start_node(node)
    await site.finish(run)
    await site.until(site.slurm.nodes_are_ready)
    await assert_each_ran_once(site, "slurmd", [run])


async def test_of_two_agents_either_may_be_killed(site: Site) -> None:
    second = site.start("second")
    first = site.agents[0]
    wave = site.wave("two", batches=8, units=2, sleep=0.5)
    await site.say(*wave)
    await site.until_started("two", 1)
    site.kill(first)
    await asyncio.sleep(1)
    await site.say(*wave)
    await site.finish(*wave, timeout_s=120)
    other = site.wave("again", batches=8, units=2)
    site.start("first")
    await site.say(*other)
    await asyncio.sleep(1)
    site.kill(second)
    await asyncio.sleep(1)
    await site.say(*other)
    await site.finish(*other, timeout_s=120)
    assert site.started("two") == site.started("again") == list(range(16))
    await site.until(lambda: len(site.slurm_jobs()) >= 16)
    assert len(site.slurm_jobs()) == 16
