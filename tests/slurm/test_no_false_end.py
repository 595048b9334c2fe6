"""Without a good answer nothing changes: a job that runs is never taken for one that is over."""

import asyncio

from tests.slurm.faults import Faults
from tests.slurm.site import Site

COMMANDS = ("squeue", "sacct")


async def test_squeue_and_sacct_that_answer_badly_change_nothing(quiet_site: Site) -> None:
    site = quiet_site
    faults = Faults(site.root)
    for command in COMMANDS:
        faults.spoil(command, "")
    path = f"{faults.folder}:{site.environment['PATH']}"
    site.start(PATH=path, FRACTAL_AGENT_SLURM_TIMEOUT_S="2", FRACTAL_AGENT_SLURM_GRACE_S="0.5")
    (run,) = site.wave("bad", units=2, sleep=20)
    (waits,) = site.wave("waits", options={"begin": "now+1hour"})
    await site.say(run, waits)
    await site.until_started("bad", 2)
    for mode in ("fail", "empty", "nonsense", "truncated", "hang"):
        for command in COMMANDS:
            faults.spoil(command, mode)
        await asyncio.sleep(3)
        for command in COMMANDS:
            faults.spoil(command, "")
        await asyncio.sleep(0.5)
    await site.finish(run)
    assert site.finished[run.batch].cause == "COMPLETED"
    assert waits.batch not in site.finished
    assert "squeue.nonsense" in site.log()
    assert "squeue.failed" in site.log()
    await site.cancel(waits)
    await site.finish(waits)
    assert site.finished[waits.batch].cause == "STOPPED"


async def test_accounting_that_is_away_is_waited_for(quiet_site: Site) -> None:
    site = quiet_site
    faults = Faults(site.root)
    faults.spoil("sacct", "fail")
    site.start(PATH=f"{faults.folder}:{site.environment['PATH']}", FRACTAL_AGENT_SLURM_LOST_S="600")
    (run,) = site.wave("away", extra_lines=["exit 4"])
    await site.say(run)
    await site.until(lambda: "sacct.failed" in site.log())
    assert run.batch not in site.finished
    faults.spoil("sacct", "")
    await site.finish(run)
    assert site.finished[run.batch].cause == "FAILED"


async def test_without_accounting_the_queue_is_enough(site_without_accounting: Site) -> None:
    site = site_without_accounting
    (good,) = site.wave("good", units=2)
    (bad,) = site.wave("bad", extra_lines=["exit 5"])
    await site.say(good, bad)
    await site.finish(good, bad)
    assert site.finished[good.batch].cause == "COMPLETED"
    event = site.finished[bad.batch]
    assert event.cause == "FAILED"
    assert "NonZeroExitCode" in str(event.error)


async def test_without_accounting_a_job_that_left_the_queue_is_lost_with_words(site_without_accounting: Site) -> None:
    site = site_without_accounting
    (run,) = site.wave("gone", extra_lines=["sleep 4; exit 5"])
    await site.say(run)
    await site.until(lambda: run.batch in site.handles)
    site.kill()
    known = ("squeue", "-h", "-t", "all", "-j", site.handles[run.batch])
    while site.slurm.run(*known, check=False).strip():
        await asyncio.sleep(1)
    site.start()
    await site.finish(run, timeout_s=90)
    event = site.finished[run.batch]
    assert event.cause == "LOST"
    assert "SLURM no longer knows job" in str(event.error)
