"""Jobs through the whole embedded stack: latencies, and what a unit costs beyond its bare process.

    python benchmarks/execution.py [--images 100 2000] [--jobs 20]

A trivial job has one no-op unit. A wide job runs a no-op for every image; the same processes are also run bare, by
`xargs -P` with as many at a time, and the difference is what the server costs. Engine and agent must stay below
250 MB each.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

PROCESSES = 6
OVERHEAD_BUDGET_MS = 2.0
SUBMIT_BUDGET_MS = 50.0
MEMORY_BUDGET_MB = 250
NO_OP = "import sys\n"


class Server:
    """An embedded stack in a directory of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {**os.environ, "FRACTAL_HOME": str(home)}
        self.command("up")
        self.http = httpx.Client(base_url=self.runtime()["url"], timeout=120)
        password = (home / "secrets" / "admin_password").read_text()
        form = {"username": "admin@example.org", "password": password}
        token = self.http.post("/auth/token/login/", data=form).raise_for_status().json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"

    def command(self, action: str) -> None:
        argv = [sys.executable, "-m", "fractal_server.embedded", action]
        subprocess.run(argv, env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def runtime(self) -> dict[str, Any]:
        return json.loads((self.home / "runtime.json").read_text())

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        answer = self.http.request(method, f"/api/v2{path}", json=body, params=params).raise_for_status()
        return answer.json() if answer.content else None

    def peak_mb(self, name: str) -> float:
        status = Path(f"/proc/{self.runtime()['processes'][name]}/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:"))

    def task(self) -> int:
        script = self.home / "no_op.py"
        script.write_text(NO_OP)
        body = {"name": "no-op", "version": "1", "command_parallel": f"{sys.executable} -I -S {script}"}
        return self.call("POST", "/task/", body)["id"]

    def flow(self, task: int, images: int) -> tuple[int, int, int]:
        """Project, dataset with so many images, workflow."""
        project = self.call("POST", "/project/", {"name": f"images {images} {time.monotonic_ns()}"})["id"]
        zarr_dir = str(self.home / "projects" / "admin" / str(project))
        urls = [{"zarr_url": f"{zarr_dir}/{number:06}.zarr"} for number in range(images)]
        body = {"name": "d", "zarr_dir": zarr_dir, "images": urls}
        dataset = self.call("POST", f"/project/{project}/dataset/import/", body)["id"]
        workflow = self.call("POST", f"/project/{project}/workflow/", {"name": "w"})["id"]
        wftask = {"task_id": task, "meta_parallel": {"parallel_tasks_per_job": PROCESSES}}
        self.call("POST", f"/project/{project}/workflow/{workflow}/wftask/", [wftask])
        return project, dataset, workflow

    def run(self, ids: tuple[int, int, int]) -> tuple[float, float]:
        """Seconds until the submission is answered, and until the job's own end."""
        project, dataset, workflow = ids
        begun = time.perf_counter()
        job = self.call("POST", f"/project/{project}/job/submit/", {}, workflow_id=workflow, dataset_id=dataset)
        answered = time.perf_counter()
        # Told of the end instead of asking for it: asking often would be part of the figure.
        with self.http.stream("GET", f"/api/v2/project/{project}/job/{job['id']}/events/", timeout=3600) as events:
            for _ in events.iter_lines():
                pass
        ended = time.perf_counter()
        status = self.call("GET", f"/project/{project}/job/{job['id']}/")["status"]
        if status != "done":
            sys.exit(f"job {job['id']} {status}")
        return answered - begun, ended - begun


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


def percentiles(values: list[float]) -> str:
    ordered = sorted(values)
    high = ordered[int(0.95 * (len(ordered) - 1))]
    return f"p50 {statistics.median(ordered) * 1000:6.0f} ms   p95 {high * 1000:6.0f} ms"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="*", default=[100, 2000])
    parser.add_argument("--jobs", type=int, default=20, help="trivial jobs, one after the other")
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(prefix="fractal-bench-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        server = Server(Path(directory) / "home")
        try:
            task = server.task()
            trivial = server.flow(task, 1)
            server.run(trivial)
            times = [server.run(trivial) for _ in range(options.jobs)]
            print(f"submit answered         {percentiles([one[0] for one in times])}")
            print(f"trivial job, to its end {percentiles([one[1] for one in times])}")
            for images in options.images:
                begun = bare(server.home / "no_op.py", images)
                wall = server.run(server.flow(task, images))[1]
                overhead = (wall - begun) / images * 1000
                failed |= overhead > OVERHEAD_BUDGET_MS
                print(
                    f"{images:6} images: {wall:7.2f} s, bare processes {begun:7.2f} s, ratio {wall / begun:4.2f}, "
                    f"{overhead:5.2f} ms a unit beyond (budget {OVERHEAD_BUDGET_MS} ms)"
                )
            for name in ("engine", "agent"):
                peak = server.peak_mb(name)
                failed |= peak > MEMORY_BUDGET_MB
                print(f"{name:8} at most {peak:5.0f} MB (budget {MEMORY_BUDGET_MB} MB)")
        finally:
            server.command("down")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
