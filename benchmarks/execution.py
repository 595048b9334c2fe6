"""Jobs through the whole embedded stack: latencies, and what a unit costs beyond its bare process.

    python benchmarks/execution.py [--images 100 2000] [--jobs 20] [--crowd 200] [--reference python3.12]

A trivial job has one no-op unit a task. A wide job runs a no-op for every image; the same processes are also
run bare, by `xargs -P` with as many at a time: the difference is what the server costs. Capacity: the engine is held
while all units of a wide job finish, then let go. Crowd: so many jobs at once from twenty users, while somebody else
reads. Engine and agent must stay below 250 MB each. With `--reference` the public fractal-server is installed from PyPI
and runs the same jobs in the same run.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from reference import Reference

PROCESSES = 6
USERS = 20
OVERHEAD_BUDGET_MS = 2.0
SUBMIT_BUDGET_MS = 50.0
FIRST_PROCESS_BUDGET_MS = 150.0
NEXT_TASK_BUDGET_MS = 100.0
CROWD_API_BUDGET_MS = 100.0
CAPACITY_BUDGET = 1000
MEMORY_BUDGET_MB = 250
NO_OP = "import sys\n"


class Server:
    """An embedded stack in a directory of its own, as one of its users sees it."""

    def __init__(self, home: Path, url: str, email: str, password: str) -> None:
        self.home = home
        self.email = email
        self.http = httpx.Client(base_url=url, timeout=120)
        form = {"username": email, "password": password}
        token = self.http.post("/auth/token/login/", data=form).raise_for_status().json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"

    @classmethod
    def up(cls, home: Path) -> "Server":
        stack(home, "up")
        password = (home / "secrets" / "admin_password").read_text()
        return cls(home, runtime(home)["url"], "admin@example.org", password)

    def user(self, number: int) -> "Server":
        """A new user, for the administrator."""
        email, password = f"user{number}@example.org", "a password of a benchmark"
        body = {"email": email, "password": password, "project_dirs": [str(self.home / "projects" / email)]}
        user = self.http.post("/auth/register/", json=body).raise_for_status().json()
        profile = self.http.get("/admin/v2/profile/").raise_for_status().json()[0]["id"]
        change = {"is_verified": True, "profile_id": profile}
        self.http.patch(f"/auth/users/{user['id']}/", json=change).raise_for_status()
        return Server(self.home, str(self.http.base_url), email, password)

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        answer = self.http.request(method, f"/api/v2{path}", json=body, params=params).raise_for_status()
        return answer.json() if answer.content else None

    def peak_mb(self, name: str) -> float:
        status = Path(f"/proc/{runtime(self.home)['processes'][name]}/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:"))

    def task(self) -> int:
        script = self.home / "no_op.py"
        script.write_text(NO_OP)
        body = {"name": "no-op", "version": "1", "command_parallel": f"{sys.executable} -I -S {script}"}
        return self.call("POST", "/task/", body)["id"]

    def flow(self, task: int, images: int, tasks: int = 1) -> tuple[int, int, int]:
        """Project, dataset with so many images, workflow with so many tasks."""
        project = self.call("POST", "/project/", {"name": f"images {images} {time.monotonic_ns()}"})["id"]
        person = self.email if self.email.startswith("user") else "admin"
        zarr_dir = str(self.home / "projects" / person / str(project))
        urls = [{"zarr_url": f"{zarr_dir}/{number:06}.zarr"} for number in range(images)]
        body = {"name": "d", "zarr_dir": zarr_dir, "images": urls}
        dataset = self.call("POST", f"/project/{project}/dataset/import/", body)["id"]
        workflow = self.call("POST", f"/project/{project}/workflow/", {"name": "w"})["id"]
        wftask = {"task_id": task, "meta_parallel": {"parallel_tasks_per_job": PROCESSES}}
        self.call("POST", f"/project/{project}/workflow/{workflow}/wftask/", [wftask] * tasks)
        return project, dataset, workflow

    def submit(self, ids: tuple[int, int, int]) -> int:
        project, dataset, workflow = ids
        return self.call("POST", f"/project/{project}/job/submit/", {}, workflow_id=workflow, dataset_id=dataset)["id"]

    def wait(self, project: int, job: int) -> dict[str, Any]:
        """Until the job is over; returns it."""
        # Told of the end instead of asking for it: asking often would be part of the figure.
        with self.http.stream("GET", f"/api/v2/project/{project}/job/{job}/events/", timeout=3600) as events:
            for _ in events.iter_lines():
                pass
        row = self.call("GET", f"/project/{project}/job/{job}/")
        if row["status"] != "done":
            sys.exit(f"job {job} {row['status']}: {row['log']}")
        return row

    def run(self, ids: tuple[int, int, int]) -> tuple[float, float, list[tuple[float, float]]]:
        """Seconds until the submission is answered, and until the job's end; of each task first start, last end."""
        begun, wall = time.perf_counter(), time.time()
        job = self.submit(ids)
        answered = time.perf_counter()
        row = self.wait(ids[0], job)
        tasks = [(first - wall, last - wall) for first, last in processes(row["working_dir"])]
        # The end by the server's clock, as it is taken of the reference, which tells nobody of it.
        return answered - begun, datetime.fromisoformat(row["end_timestamp"]).timestamp() - wall, tasks


def stack(home: Path, action: str) -> None:
    argv = [sys.executable, "-m", "fractal_server.embedded", action]
    environment = {**os.environ, "FRACTAL_HOME": str(home)}
    subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)


def runtime(home: Path) -> dict[str, Any]:
    return json.loads((home / "runtime.json").read_text())


def processes(folder: str) -> list[tuple[float, float]]:
    """Of each task when its first process started and its last one ended (Unix time), as their keepers saw it."""
    found: list[tuple[float, float]] = []
    for file in sorted(Path(folder).glob(".fractal/*/results.jsonl")):
        results = [json.loads(line) for line in file.read_text().splitlines()]
        ends = [result["started"] + result["wall_s"] for result in results]
        found.append((min(result["started"] for result in results), max(ends)))
    return found


def bare(script: Path, images: int) -> float:
    """Seconds for the same processes without any server."""
    begun = time.perf_counter()
    subprocess.run(
        ["xargs", "-P", str(PROCESSES), "-n", "1", sys.executable, "-I", "-S", str(script)],
        input="\n".join(map(str, range(images))),
        text=True,
        check=True,
    )
    return time.perf_counter() - begun


def p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))] * 1000


def percentiles(values: list[float]) -> str:
    return f"p50 {statistics.median(values) * 1000:6.0f} ms   p95 {p95(values):6.0f} ms"


class Report:
    """Prints figures beside their budgets, and remembers whether one was missed."""

    def __init__(self) -> None:
        self.failed = False

    def latency(self, name: str, values: list[float], budget_ms: float) -> None:
        self.failed |= p95(values) > budget_ms
        print(f"{name:34} {percentiles(values)}   (budget p95 {budget_ms:.0f} ms)", flush=True)

    def figure(self, text: str, *, within: bool) -> None:
        self.failed |= not within
        print(text if within else f"{text}  MISSED", flush=True)


def trivial(server: Server, task: int, jobs: int, reference: Reference | None, report: Report) -> None:
    one = server.flow(task, 1)
    server.run(one)
    times: list[tuple[float, float, list[tuple[float, float]]]] = []
    theirs: list[float] = []
    task_of_theirs = reference.task(server.home / "no_op.py") if reference else 0
    for number in range(jobs + 1):
        # In turn, so that both meet the same machine; the first of each is not counted.
        times.append(server.run(one))
        if reference:
            theirs.append(reference.run(task_of_theirs, 1, PROCESSES))
        if not number:
            times.clear()
            theirs.clear()
    report.latency("submit answered", [answered for answered, _, _ in times], SUBMIT_BUDGET_MS)
    report.latency("submit to first process", [tasks[0][0] for _, _, tasks in times], FIRST_PROCESS_BUDGET_MS)
    print(f"{'one-unit job, submit to done':34} {percentiles([done for _, done, _ in times])}", flush=True)
    if theirs:
        ratio = statistics.median(done for _, done, _ in times) / statistics.median(theirs)
        print(f"{'reference: one-unit job':34} {percentiles(theirs)}")
        report.figure(f"{'ours against the reference':34} ratio {ratio:4.2f} (budget 1)", within=ratio <= 1)
    two = server.flow(task, 1, tasks=2)
    gaps = [tasks[1][0] - tasks[0][1] for _, _, tasks in (server.run(two) for _ in range(jobs))]
    report.latency("task end to next task's start", gaps, NEXT_TASK_BUDGET_MS)


def wide(server: Server, task: int, images: int, reference: Reference | None, report: Report) -> None:
    script = server.home / "no_op.py"
    ids = server.flow(task, images)
    # Bare before and after: the machine's speed drifts.
    before = bare(script, images)
    wall = server.run(ids)[1]
    begun = (before + bare(script, images)) / 2
    overhead = (wall - begun) / images * 1000
    text = (
        f"{images:6} images: {wall:7.2f} s, bare processes {begun:7.2f} s, ratio {wall / begun:4.2f}, "
        f"{overhead:5.2f} ms a unit beyond (budget {OVERHEAD_BUDGET_MS} ms)"
    )
    report.figure(text, within=overhead <= OVERHEAD_BUDGET_MS)
    if reference:
        their = reference.run(reference.task(script), images, PROCESSES)
        print(
            f"{images:6} images, reference: {their:7.2f} s, {(their - begun) / images * 1000:5.2f} ms a unit beyond; "
            f"ours takes {wall / their:4.2f} of its time",
            flush=True,
        )


def started_reference(home: Path, python: str) -> Reference:
    database = {
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(json.loads((home / "ports.json").read_text())["postgres"]),
        "POSTGRES_USER": "fractal",
        "POSTGRES_PASSWORD": (home / "secrets" / "postgres_password").read_text(),
    }
    return Reference(home.parent / "reference", python, database)


def capacity(server: Server, task: int, images: int, report: Report) -> None:
    """The engine is stopped once the batch is with the agent, and let go when every unit has its result."""
    project, dataset, workflow = server.flow(task, images)
    engine = runtime(server.home)["processes"]["engine"]
    job = server.submit((project, dataset, workflow))
    folder = Path(server.call("GET", f"/project/{project}/job/{job}/")["working_dir"])
    wait_for(lambda: bool(list(folder.glob(".fractal/*/spec.json"))))
    os.kill(engine, signal.SIGSTOP)
    try:
        wait_for(lambda: bool(list(folder.glob(".fractal/*/end.json"))))
    finally:
        os.kill(engine, signal.SIGCONT)
    begun = time.perf_counter()
    server.wait(project, job)
    rate = images / (time.perf_counter() - begun)
    report.figure(
        f"{'engine: results recorded':34} {rate:6.0f} a second, with the end of the job (budget {CAPACITY_BUDGET})",
        within=rate >= CAPACITY_BUDGET,
    )


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 600
    while not condition():
        if time.monotonic() > deadline:
            sys.exit("waited too long")
        time.sleep(0.05)


def crowd(server: Server, task: int, jobs: int, report: Report) -> None:
    """So many jobs at once, from twenty users; somebody reads a job list meanwhile, again and again."""
    users = [server.user(number) for number in range(USERS)]
    # One dataset cannot have two jobs at a time.
    flows = [(user, user.flow(task, 1)) for user in users for _ in range(jobs // USERS)]
    project = flows[0][1][0]
    reads: list[float] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            begun = time.perf_counter()
            users[0].call("GET", f"/project/{project}/job/")
            reads.append(time.perf_counter() - begun)
            time.sleep(0.02)

    reader = threading.Thread(target=read)
    reader.start()
    begun = time.perf_counter()
    with ThreadPoolExecutor(USERS) as pool:
        submitted = list(pool.map(lambda one: (one[0], one[1][0], one[0].submit(one[1])), flows))
    accepted = time.perf_counter() - begun
    for user, flow, job in submitted:
        user.wait(flow, job)
    wall = time.perf_counter() - begun
    over.set()
    reader.join()
    print(f"{jobs} jobs of {USERS} users: accepted in {accepted:.1f} s, all done in {wall:.1f} s", flush=True)
    report.latency("a read meanwhile", reads, CROWD_API_BUDGET_MS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="*", default=[100, 2000])
    parser.add_argument("--jobs", type=int, default=20, help="trivial jobs, one after the other")
    parser.add_argument("--crowd", type=int, default=200, help="jobs at once; 0: none")
    parser.add_argument("--capacity", type=int, default=2000, help="units of the job with a held engine; 0: none")
    parser.add_argument("--reference", help="a Python, 3.12 or newer, to install the public fractal-server with")
    options = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="fractal-bench-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        home = Path(directory) / "home"
        reference: Reference | None = None
        try:
            server = Server.up(home)
            task = server.task()
            reference = started_reference(home, options.reference) if options.reference else None
            if options.jobs:
                trivial(server, task, options.jobs, reference, report)
            for images in options.images:
                wide(server, task, images, reference, report)
            if options.capacity:
                capacity(server, task, options.capacity, report)
            if options.crowd:
                crowd(server, task, options.crowd, report)
            for name in ("engine", "agent"):
                peak = server.peak_mb(name)
                text = f"{name:8} at most {peak:5.0f} MB (budget {MEMORY_BUDGET_MB} MB)"
                report.figure(text, within=peak <= MEMORY_BUDGET_MB)
        finally:
            if reference:
                reference.close()
            stack(home, "down")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
