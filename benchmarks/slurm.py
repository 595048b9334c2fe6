"""Jobs on a real SLURM cluster, through the whole stack: what a plate costs, and how soon an end is known.

    python benchmarks/slurm.py [--units 1536] [--rounds 3] [--jobs 24] [--reference python3.12]

As root, on Debian: installs and starts a cluster, as `make test-slurm` does. Plate: a no-op for every image, packed by
the resource's batching configuration, beside a bare `sbatch --array` that runs the same commands in allocations of the
same size; sbatch calls and looks at the queue as slurmctld counts them, and the files that are left. Ends: the time
between squeue's first word that a job is over, by itself or by scancel, and the API's and the event stream's. With
`--reference` the public fractal-server is installed from PyPI and runs such a plate on the same cluster: a smaller one,
since it starts an srun for every image of an allocation at once. Exits with 1 if a budget is missed.
"""

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fractal_common.settings import DatabaseSettings  # noqa: E402
from fractal_server.embedded import postgres  # noqa: E402
from fractal_server.embedded.children import Child  # noqa: E402
from fractal_server.embedded.home import Home  # noqa: E402
from reference import Reference  # noqa: E402

from tests.api import Api  # noqa: E402
from tests.processes import is_alive, until  # noqa: E402
from tests.slurm import accounts  # noqa: E402
from tests.slurm.cluster import SlurmCluster, running  # noqa: E402
from tests.slurm.configuration import Shape  # noqa: E402
from tests.slurm.lab import Flow, Lab  # noqa: E402
from tests.slurm.site import PYTHON  # noqa: E402

JOBS = 16
PROCESSES = 4
MEMORY_MB = 100
TICK_S = 2.0
"""The agent's, by default."""
LOOK_S = 0.05
JOBS_AT_ONCE = 4
WALL_BUDGET = 1.2
END_BUDGET_S = TICK_S + 1
FILES_PER_BATCH_BUDGET = 12
CONFIG: dict[str, Any] = {
    "default_slurm_config": {"partition": "main", "cpus_per_task": 1, "mem": MEMORY_MB},
    "batching_config": {
        "target_num_jobs": JOBS,
        "max_num_jobs": JOBS,
        "target_cpus_per_job": PROCESSES,
        "max_cpus_per_job": PROCESSES,
        "target_mem_per_job": PROCESSES * MEMORY_MB,
        "max_mem_per_job": PROCESSES * MEMORY_MB,
    },
}
TASK = """\
import json, sys
json.load(open(sys.argv[sys.argv.index("--args-json") + 1]))
json.dump({}, open(sys.argv[sys.argv.index("--out-json") + 1], "w"))
"""
BARE = """\
#!/bin/sh
#SBATCH --partition=main --array=0-{last} --nodes=1 --ntasks={processes} --cpus-per-task=1 --mem={memory}M
#SBATCH --job-name=bare -o {folder}/%a.out -D {folder}
first=$((SLURM_ARRAY_TASK_ID * {each}))
seq $first $((first + {each} - 1)) | xargs -P {processes} -I N sh -c '
    echo "{{}}" > args-N.json
    {python} -I -S {task} --args-json args-N.json --out-json out-N.json > log-N.txt 2>&1'
"""


@dataclass
class Report:
    """What was measured, and whether it is within its budget."""

    missed: list[str] = field(default_factory=list[str])

    def figure(self, name: str, figure: float, budget: float | None = None) -> None:
        within = budget is None or figure <= budget
        if not within:
            self.missed.append(name)
        said = "" if budget is None else f"   (budget {budget:g}{'' if within else ', MISSED'})"
        print(f"{name:44} {figure:8.2f}{said}", flush=True)

    def figures(self, name: str, seconds: list[float], budget: float) -> None:
        ordered = sorted(seconds)
        p95 = ordered[ceil(0.95 * len(ordered)) - 1]
        print(f"{name:44} {statistics.median(ordered):8.2f} (p50)  {p95:.2f} (p95), n={len(ordered)}")
        self.figure("    at most", ordered[-1], budget)


def prepared(api: Api, folder: Path, task: int, units: int) -> tuple[int, int, int]:
    """Project, dataset with so many images, and workflow."""
    project = api.post("/api/v2/project/", {"name": f"plate {time.monotonic_ns()}"})["id"]
    zarr_dir = f"{folder}/zarr-{project}"
    images = [{"zarr_url": f"{zarr_dir}/{number:06}.zarr"} for number in range(units)]
    body = {"name": "d", "zarr_dir": zarr_dir, "images": images}
    dataset = api.post(f"/api/v2/project/{project}/dataset/import/", body)["id"]
    workflow = api.post(f"/api/v2/project/{project}/workflow/", {"name": "w"})["id"]
    api.post(f"/api/v2/project/{project}/workflow/{workflow}/wftask/", [{"task_id": task}])
    return project, dataset, workflow


def wait(api: Api, project: int, job: int) -> None:
    """Until the event stream says that it is over."""
    with api.http.stream("GET", f"/api/v2/project/{project}/job/{job}/events/", timeout=900) as events:
        for _ in events.iter_lines():
            pass


def plate(lab: Lab, api: Api, units: int, rounds: int, report: Report) -> None:
    script = lab.root / "no_op.py"
    script.write_text(TASK)
    command = f"{PYTHON} -I -S {script}"
    task = api.post("/api/v2/task/", {"name": "No-op", "version": "1", "command_parallel": command})["id"]
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(rounds):
        project, dataset, workflow = prepared(api, lab.project_dir(accounts.SERVICE), task, units)
        lab.slurm.run("sdiag", "--reset")
        start = time.monotonic()
        job = api.submit(project, dataset, workflow)
        wait(api, project, job)
        ours.append(time.monotonic() - start)
        calls = requests(lab.slurm, "REQUEST_SUBMIT_BATCH_JOB")
        looks = requests(lab.slurm, "REQUEST_JOB_INFO")
        row = api.get(f"/api/v2/project/{project}/job/{job}/")
        assert row["status"] == "done", row["log"]
        theirs.append(bare(lab.slurm, lab.root / f"bare-{number}", script, units))
        report.figure(f"plate {number + 1}: sbatch calls", calls, 1)
        report.figure("    looks at the queue a tick", looks / ceil(ours[-1] / TICK_S), 1)
        files(row, units, report)
    report.figure(f"plate of {units}, wall time in s", statistics.median(ours))
    report.figure("bare sbatch --array, wall time in s", statistics.median(theirs))
    report.figure("ours against bare", statistics.median(ours) / statistics.median(theirs), WALL_BUDGET)


def files(job: dict[str, Any], units: int, report: Report) -> None:
    """What is left on the shared file system."""
    found = [
        path for name in ("working_dir", "working_dir_user") for path in Path(job[name]).rglob("*") if path.is_file()
    ]
    of_units = [path for path in found if re.match(r"par-\d{6}-\d{7}-", path.name)]
    report.figure("    files a unit", len(of_units) / units, 1)
    report.figure("    other files a batch", (len(found) - len(of_units)) / JOBS, FILES_PER_BATCH_BUDGET)


def requests(cluster: SlurmCluster, kind: str) -> int:
    """How many of a kind slurmctld has answered since its counters were set back."""
    found = re.search(rf"^\s*{kind}\s.*count:(\d+)", cluster.run("sdiag"), re.MULTILINE)
    return int(found[1]) if found else 0


def bare(cluster: SlurmCluster, folder: Path, task: Path, units: int) -> float:
    folder.mkdir()
    subprocess.run(["chown", accounts.SERVICE, str(folder)], check=True)
    script = folder / "script.sh"
    each = units // JOBS
    script.write_text(
        BARE.format(
            last=JOBS - 1,
            processes=PROCESSES,
            memory=PROCESSES * MEMORY_MB,
            folder=folder,
            each=each,
            python=PYTHON,
            task=task,
        )
    )
    start = time.monotonic()
    job = cluster.run("sbatch", "--parsable", str(script), user=accounts.SERVICE).strip()
    while cluster.run("squeue", "-h", "-t", "PD,R,CG", "-j", job, check=False).strip():
        time.sleep(0.2)
    wall_s = time.monotonic() - start
    assert len(list(folder.glob("out-*.json"))) == each * JOBS
    return wall_s


class Ends:
    """When squeue first says that a job is over, by its name."""

    def __init__(self, cluster: SlurmCluster) -> None:
        self.seen: dict[str, float] = {}
        self._cluster = cluster
        self._stop = threading.Event()

    def look(self) -> None:
        while not self._stop.wait(LOOK_S):
            now = time.monotonic()
            for line in self._cluster.run("squeue", "-h", "-t", "all", "-o", "%T %j").splitlines():
                state, _, name = line.partition(" ")
                if state not in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING"):
                    self.seen.setdefault(name, now)

    @contextmanager
    def looked_for(self) -> Generator[None]:
        thread = threading.Thread(target=self.look)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()


def ends(lab: Lab, jobs: int, report: Report, *, cancelled: bool) -> None:
    """Between SLURM's word and ours; below zero where the worker's own end marker was faster than squeue."""
    watched = Ends(lab.slurm)
    expected = "failed" if cancelled else "done"

    def one(_: int) -> tuple[str, float, float]:
        flow = Flow(lab, images=1)
        flow.tell(sleep=600 if cancelled else 1)
        job = flow.submit()
        told: list[float] = []

        def listen() -> None:
            wait(flow.api, flow.project, job["id"])
            told.append(time.monotonic())

        listener = threading.Thread(target=listen)
        listener.start()
        other = lab.api(accounts.SERVICE)
        path = f"{flow.base}job/{job['id']}/"
        if cancelled:
            running = ("squeue", "-h", "-t", "R", "-n", flow.slurm_name)
            until(lambda: bool(lab.slurm.run(*running)), "the job runs")
            time.sleep(1)
            lab.slurm.run("scancel", f"--name={flow.slurm_name}")
        while (row := other.get(path))["status"] == "submitted":
            time.sleep(LOOK_S)
        answered = time.monotonic()
        assert row["status"] == expected, row["log"]
        listener.join()
        return flow.slurm_name, answered, told[0]

    with watched.looked_for(), ThreadPoolExecutor(JOBS_AT_ONCE) as pool:
        rows = list(pool.map(one, range(jobs)))
        until(lambda: all(name in watched.seen for name, _, _ in rows), "squeue has told of all ends")
    what = "scancel" if cancelled else "job done"
    report.figures(
        f"{what}: SLURM's end to the API's, in s", [row[1] - watched.seen[row[0]] for row in rows], END_BUDGET_S
    )
    report.figures(
        f"{what}: SLURM's end to the stream's", [row[2] - watched.seen[row[0]] for row in rows], END_BUDGET_S
    )


def reference(lab: Lab, python: str, database: dict[str, str], api: Api, units: int, report: Report) -> None:
    """A smaller plate on both, in allocations of the same shape."""
    folder = lab.root / "reference"
    # sudo clears the environment, and the cluster is not the machine's own.
    accounts.allow('Defaults env_keep += "SLURM_CONF"\n')
    their = Reference(
        folder,
        python,
        database,
        settings=lab.slurm.environment,
        username="root",
        resource={
            "name": "cluster",
            "type": "slurm_sudo",
            "jobs_local_dir": str(folder / "jobs"),
            "tasks_local_dir": str(folder / "tasks"),
            "tasks_python_config": {"default_version": "3.12", "versions": {"3.12": python}},
            "tasks_pixi_config": {},
            "jobs_poll_interval": 1,
            "jobs_runner_config": CONFIG,
        },
    )
    try:
        script = lab.root / "no_op.py"
        each = units // JOBS
        shape = {"tasks_per_job": each, "parallel_tasks_per_job": PROCESSES}
        lab.slurm.run("sdiag", "--reset")
        wall_s = their.run(their.task(script, PYTHON), units, PROCESSES, tasks_per_job=each)
        calls, looks = (requests(lab.slurm, kind) for kind in ("REQUEST_SUBMIT_BATCH_JOB", "REQUEST_JOB_INFO"))
        found = [path for path in (folder / "projects").rglob("*") if path.is_file()]
    finally:
        their.close()
        accounts.forbid()
    command = f"{PYTHON} -I -S {script}"
    body = {"name": "No-op", "version": "2", "command_parallel": command, "meta_parallel": shape}
    task = api.post("/api/v2/task/", body)["id"]
    project, dataset, workflow = prepared(api, lab.project_dir(accounts.SERVICE), task, units)
    start = time.monotonic()
    job = api.submit(project, dataset, workflow)
    wait(api, project, job)
    ours_s = time.monotonic() - start
    assert api.get(f"/api/v2/project/{project}/job/{job}/")["status"] == "done"
    report.figure(f"reference: plate of {units}, wall time in s", wall_s)
    report.figure("    sbatch calls", calls)
    report.figure("    looks at the queue", looks)
    report.figure("    files a unit, in the user's folder", len(found) / units)
    report.figure("ours, the same plate, wall time in s", ours_s)
    report.figure("ours against the reference", ours_s / wall_s, 1)


@asynccontextmanager
async def stack(cluster: SlurmCluster, root: Path) -> AsyncGenerator[tuple[Lab, dict[str, str]]]:
    """All services with a Postgres of their own, and an agent with its settings as they are by default."""
    home = Home(root / "database")
    home.prepare()
    port = home.port("postgres")
    server = Child(postgres.spec(home, port), root / "postgres.log")
    await server.start(lambda: None)
    postgres.ensure_database(home, port, "fractal")
    database = {**postgres.environment(home, port), "POSTGRES_DB": "fractal"}
    migrate = [sys.executable, "-m", "fractal_common.migrations"]
    await asyncio.to_thread(subprocess.run, migrate, env={**os.environ, **database}, check=True)
    (root / "lab").mkdir(mode=0o755)
    lab = Lab(root / "lab", DatabaseSettings(_env_file=None, **database), database, cluster)  # type: ignore[call-arg]
    argv, variables = lab.commands["agent"]
    variables = {name: value for name, value in variables.items() if not name.startswith("FRACTAL_AGENT_SLURM")}
    lab.commands["agent"] = (argv, variables)
    await lab.prepare(accounts.SERVICE, config=CONFIG)
    try:
        for name in ("nats", "engine", "api", "agent"):
            lab.start(name)
        url = f"http://127.0.0.1:{lab.api_ports['api']}"
        await asyncio.to_thread(until, lambda: is_alive(url), "the api", 120)
        yield lab, database
    finally:
        await lab.close()
        await server.stop()


async def main() -> None:
    parser = argparse.ArgumentParser(description="jobs on a real SLURM cluster")
    parser.add_argument("--units", type=int, default=1536)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=24)
    parser.add_argument("--reference", help="a Python, 3.12 or newer, to install the public fractal-server with")
    parser.add_argument("--reference-units", type=int, default=384)
    options = parser.parse_args()
    report = Report()
    with running(Shape(name="frb", min_job_age_s=300)) as cluster, tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        root.chmod(0o755)
        async with stack(cluster, root) as (lab, database):

            def measure() -> None:
                api = lab.api(accounts.SERVICE)
                plate(lab, api, options.units, options.rounds, report)
                ends(lab, options.jobs, report, cancelled=False)
                ends(lab, options.jobs, report, cancelled=True)
                if options.reference:
                    reference(lab, options.reference, database, api, options.reference_units, report)

            await asyncio.to_thread(measure)
    if report.missed:
        sys.exit(f"missed: {', '.join(name.strip() for name in report.missed)}")


if __name__ == "__main__":
    asyncio.run(main())
