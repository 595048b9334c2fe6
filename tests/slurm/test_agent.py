"""Batches of the agent's own user as SLURM jobs."""

from contextlib import ExitStack

from tests.slurm.site import Site


async def test_a_batch_runs_in_one_allocation(site: Site) -> None:
    (run,) = site.wave("one", units=8)
    await site.say(run)
    await site.finish(run)
    event = site.finished[run.batch]
    assert (event.cause, event.results) == ("COMPLETED", 8)
    assert sorted(site.outcomes[run.batch]) == site.started("one") == list(range(8))
    assert all(outcome.status == "done" for outcome in site.outcomes[run.batch].values())
    assert (site.folder("one") / "0_task" / "par-000000-0000007-log.txt").read_text() == "unit 7\n"
    assert event.evidence is not None
    assert event.evidence.job_id == site.handles[run.batch]


async def test_a_wave_is_one_job_array(site: Site) -> None:
    wave = site.wave("array", batches=6, units=3)
    await site.say(*wave)
    await site.finish(*wave)
    assert {event.cause for event in site.finished.values()} == {"COMPLETED"}
    assert site.started("array") == list(range(18))
    jobs = {handle.partition("_")[0] for handle in site.handles.values()}
    assert len(jobs) == 1
    assert sorted(site.handles.values()) == [f"{min(jobs)}_{place}" for place in range(6)]


async def test_the_processes_of_a_job_get_one_node(site: Site) -> None:
    """Rather than what is left on two, of which the second would stand idle."""
    half = str(site.slurm.shape.cpus // 2)
    with ExitStack() as fillers:
        for node in site.slurm.shape.node_names:
            filler = (
                "sbatch",
                "--parsable",
                "-w",
                node,
                "-c",
                half,
                "-D",
                "/",
                "-o",
                "/dev/null",
                "--wrap",
                "sleep 600",
            )
            job = site.slurm.run(*filler).strip()
            fillers.callback(site.slurm.run, "scancel", job)
            state = ("squeue", "-h", "-j", job, "-o", "%T")
            await site.until(lambda state=state: site.slurm.run(*state).strip() == "RUNNING")
        units = int(half) + 4
        (run,) = site.wave("node", units=units, processes=units, memory_mb=20)
        await site.say(run)
        await site.until(lambda: run.batch in site.handles)
        reason = ("squeue", "-h", "-j", site.handles[run.batch], "-o", "%T %r")
        await site.until(lambda: site.slurm.run(*reason).strip() == "PENDING Resources")
    await site.finish(run)
    assert site.finished[run.batch].cause == "COMPLETED"
    assert site.started("node") == list(range(units))
    row = ("sacct", "-X", "-n", "-P", "-j", site.handles[run.batch], "-o", "AllocNodes,AllocCPUS")
    await site.until(lambda: site.slurm.run(*row).strip() == f"1|{units}")
