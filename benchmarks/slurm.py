"""A full plate as SLURM jobs: ours against a bare `sbatch --array` that runs the same commands.

`python benchmarks/slurm.py` as root, on Debian: installs and starts a real cluster, as `make test-slurm` does. Prints
wall times and their ratio, sbatch calls, looks at the queue, and what is left on the shared file system.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fractal_common.bus import COMMANDS, EVENTS, Bus  # noqa: E402
from fractal_common.settings import NatsSettings  # noqa: E402
from fractal_server.embedded import nats  # noqa: E402
from fractal_server.embedded.children import Child  # noqa: E402
from fractal_server.embedded.home import Home  # noqa: E402

from tests.slurm.accounts import SERVICE  # noqa: E402
from tests.slurm.cluster import SlurmCluster, running  # noqa: E402
from tests.slurm.configuration import Shape  # noqa: E402
from tests.slurm.site import PYTHON, Site  # noqa: E402

UNITS = int(os.environ.get("UNITS", "1536"))
JOBS = 16
TICK_S = 2.0
TASK = """\
import json, sys
json.load(open(sys.argv[sys.argv.index("--args-json") + 1]))
json.dump({}, open(sys.argv[sys.argv.index("--out-json") + 1], "w"))
"""
BARE = """\
#!/bin/sh
#SBATCH --partition=main --array=0-{last} --ntasks={processes} --cpus-per-task=1 --mem=400M
#SBATCH --job-name=bare -o {folder}/%a.out -D {folder}
first=$((SLURM_ARRAY_TASK_ID * {each}))
seq $first $((first + {each} - 1)) | xargs -P {processes} -I N sh -c '
    echo "{{}}" > args-N.json
    {python} -I -S {task} --args-json args-N.json --out-json out-N.json > log-N.txt 2>&1'
"""
PROCESSES = 4


async def ours(site: Site) -> dict[str, float]:
    wave = site.wave("plate", batches=JOBS, units=UNITS // JOBS, processes=PROCESSES)
    site.slurm.run("sdiag", "--reset")
    start = time.monotonic()
    await site.say(*wave)
    await site.finish(*wave, timeout_s=600)
    wall_s = time.monotonic() - start
    assert all(outcome.status == "done" for run in wave for outcome in site.outcomes[run.batch].values())
    assert sum(len(site.outcomes[run.batch]) for run in wave) == UNITS
    files = [path for path in site.folder("plate").rglob("*") if path.is_file()]
    return {
        "wall_s": wall_s,
        "sbatch calls": requests(site.slurm, "REQUEST_SUBMIT_BATCH_JOB"),
        "looks a tick": requests(site.slurm, "REQUEST_JOB_INFO") / (wall_s / TICK_S),
        "files a unit": len(files) / UNITS,
    }


def requests(cluster: SlurmCluster, kind: str) -> int:
    """How many of a kind slurmctld has answered since its counters were set back."""
    found = re.search(rf"^\s*{kind}\s.*count:(\d+)", cluster.run("sdiag"), re.MULTILINE)
    return int(found[1]) if found else 0


def bare(cluster: SlurmCluster, root: Path, task: Path) -> float:
    folder = root / "bare"
    folder.mkdir()
    subprocess.run(["chown", SERVICE, str(folder)], check=True)
    script = folder / "script.sh"
    script.write_text(
        BARE.format(last=JOBS - 1, processes=PROCESSES, folder=folder, each=UNITS // JOBS, python=PYTHON, task=task)
    )
    start = time.monotonic()
    job = cluster.run("sbatch", "--parsable", str(script), user=SERVICE).strip()
    while cluster.run("squeue", "-h", "-j", job, check=False).strip():
        time.sleep(0.2)
    wall_s = time.monotonic() - start
    assert len(list(folder.glob("out-*.json"))) == UNITS
    return wall_s


async def main() -> None:
    with running(Shape(name="frb", cpus=16, min_job_age_s=300)) as cluster, tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        root.chmod(0o755)
        home = Home(root / "home")
        home.prepare()
        port = home.port("nats")
        server = Child(nats.spec(home, port), root / "nats.log")
        await server.start(lambda: None)
        settings = [NatsSettings(_env_file=None, **nats.environment(home, port, user)) for user in ("server", "agent")]  # type: ignore[call-arg]
        bus = await Bus.connect(settings[0], name="benchmark")
        await bus.ensure_streams()
        await bus.ensure_consumer(COMMANDS, "agent-1", "fractal.cmd.1.>")
        await bus.ensure_consumer(EVENTS, "test-1", "fractal.evt.1.>")
        (root / "site").mkdir(mode=0o755)
        site = Site(root / "site", bus, settings[1], 1, cluster)
        (site.root / "task.py").write_text(TASK)
        for name in list(site.environment):
            if name.startswith("FRACTAL_AGENT_SLURM"):
                del site.environment[name]  # as it is by default
        site.start()
        try:
            figures = await ours(site)
            figures["bare_s"] = await asyncio.to_thread(bare, cluster, root, site.root / "task.py")
        finally:
            site.close()
            await bus.close()
            await server.stop()
    print(f"{UNITS} units in {JOBS} allocations of {PROCESSES} processes")
    for name, figure in figures.items():
        print(f"{name:16} {figure:10.2f}")
    print(f"{'ratio':16} {figures['wall_s'] / figures['bare_s']:10.2f}")


if __name__ == "__main__":
    asyncio.run(main())
