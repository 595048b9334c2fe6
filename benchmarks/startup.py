"""How long each service takes from `exec` to its first answer, and how much of that is processor time.

python benchmarks/startup.py

The database and the bus are not there: no service waits for them. On a busy machine look at the processor time.
"""

import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

import httpx

BUDGET_S = 1.0
RUNS = 3
SERVICES = {
    "auth": (["fractal_auth"], "/auth/current-user/"),
    "jobs-api": (["fractal_jobs.api"], "/api/alive/"),
    "one port": (["uvicorn", "fractal_server.main:app"], "/api/alive/"),
}
SETTINGS = {
    "POSTGRES_DB": "nowhere",
    "POSTGRES_HOST": "127.0.0.1",
    "POSTGRES_PORT": "1",
    "FRACTAL_NATS_URL": "nats://127.0.0.1:1",
    "JWT_SECRET_KEY": "k" * 32,
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(module: list[str], path: str, folder: str) -> tuple[float, float]:
    """Seconds on the clock, and of the processor, to the first answer."""
    port = free_port()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *module, "--port", str(port)],
        cwd=folder,
        env=os.environ | SETTINGS,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5)
            except httpx.TransportError:
                time.sleep(0.005)
            else:
                break
            if process.poll() is not None:
                raise SystemExit(f"{module} ended with {process.returncode}")
        seconds = time.perf_counter() - started
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    worst = 0.0
    with tempfile.TemporaryDirectory(prefix="fractal-startup-") as folder:
        for name, (module, path) in SERVICES.items():
            seconds, processor = min(start(module, path, folder) for _ in range(RUNS))
            worst = max(worst, min(seconds, processor))
            print(f"{name:10} {seconds:5.2f} s, {processor:5.2f} s of the processor")
    print(f"budget {BUDGET_S} s")
    return 0 if worst <= BUDGET_S else 1


if __name__ == "__main__":
    sys.exit(main())
