"""A stop of which the scheduler has begun only a part: nothing of it runs any more, everything else does."""

from tests.slurm.accounts import SERVICE
from tests.slurm.site import Site


async def test_an_array_of_which_some_elements_wait_is_stopped(site: Site) -> None:
    first, second = site.slurm.shape.node_names
    whole = str(site.slurm.shape.cpus)
    wave = site.wave("array", batches=5, sleep=600, options={"nodelist": first, "cpus-per-task": whole})
    others = site.wave("others", batches=2, sleep=8, options={"nodelist": second})
    own = ("sbatch", "--parsable", "-w", second, "-D", "/", "-o", "/dev/null", "--wrap", "sleep 10")
    of_the_user = site.slurm.run(*own, user=SERVICE).strip()
    await site.say(*others, *wave)
    await site.until_started("others", 2)
    await site.until_started("array", 1)
    await site.until(lambda: all(run.batch in site.handles for run in wave))
    array = site.handles[wave[0].batch].partition("_")[0]
    assert {site.handles[run.batch] for run in wave} == {f"{array}_{place}" for place in range(5)}, "one job array"
    states = ("squeue", "-h", "-r", "-j", array, "-o", "%T")
    await site.until(lambda: sorted(site.slurm.run(*states).split()) == [*["PENDING"] * 4, "RUNNING"])

    await site.cancel(*wave)
    await site.finish(*wave, timeout_s=20)
    assert {site.finished[run.batch].cause for run in wave} == {"STOPPED"}
    assert not any(run.batch in site.finished for run in others)
    await site.finish(*others)
    assert {site.finished[run.batch].cause for run in others} == {"COMPLETED"}
    assert len(site.started("array")) == 1, "what waited never ran"
    ends = ("sacct", "-X", "-n", "-P", "-j", f"{array},{of_the_user}", "-o", "State")
    await site.until(lambda: words(site.slurm.run(*ends)) == {"CANCELLED", "COMPLETED"}, timeout_s=30)
    rows = site.slurm.run(*ends).splitlines()
    assert [row.partition(" ")[0] for row in rows].count("COMPLETED") == 1
    job = ("sacct", "-X", "-n", "-P", "-j", of_the_user, "-o", "State")
    assert site.slurm.run(*job).strip() == "COMPLETED"


def words(states: str) -> set[str]:
    """First words: SLURM says by whom a job was cancelled."""
    return {line.partition(" ")[0] for line in states.splitlines()}
