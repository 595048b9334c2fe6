"""Batches as detached processes of this machine, which go on when the agent dies."""

import asyncio
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

from fractal_agent.batchdir import BatchDirectory

WORKER = Path(str(files("fractal_agent").joinpath("worker", "__main__.py")))
NO_WORKER_WAIT_S = 0.02


class LocalBackend:
    """A worker per batch. It is adopted by its lock: starting one that lives already does nothing."""

    def __init__(self) -> None:
        self._children: list[subprocess.Popen[bytes]] = []

    def ensure(self, directory: BatchDirectory) -> str:
        """Start a worker unless one lives or the batch has ended; returns its handle (a process id, for people)."""
        self._reap()
        if directory.is_worker_alive() or directory.end() is not None:
            return self.handle(directory)
        with (directory.path / "worker.log").open("ab") as output:
            child = subprocess.Popen(
                [sys.executable, "-I", "-S", str(WORKER), str(directory.path)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",
                env=_environment(),
            )
        self._children.append(child)
        return str(child.pid)

    def is_starting(self, directory: BatchDirectory) -> bool:
        """Whether a worker of ours lives that may not have taken its lock yet."""
        self._reap()
        path = str(directory.path)
        return any(isinstance(child.args, list) and child.args[-1] == path for child in self._children)

    async def wait(self, directory: BatchDirectory, timeout_s: float) -> None:
        """Until the worker that runs now ends, but not longer than so many seconds."""
        pid = directory.worker_pid()
        try:
            process = os.pidfd_open(pid) if pid is not None else -1
        except OSError:  # it has ended, or the kernel is too old
            process = -1
        if process < 0:
            await asyncio.sleep(min(timeout_s, NO_WORKER_WAIT_S))
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(process, ended.set)
        try:
            await asyncio.wait_for(ended.wait(), timeout_s)
        except TimeoutError:
            return
        finally:
            loop.remove_reader(process)
            os.close(process)

    def handle(self, directory: BatchDirectory) -> str:
        pid = directory.worker_pid()
        return "unknown" if pid is None else str(pid)

    def _reap(self) -> None:
        self._children = [child for child in self._children if child.poll() is None]


def _environment() -> dict[str, str]:
    """Ours, less what is the server's alone: tasks get no secret."""
    secret = ("POSTGRES_", "JWT_", "FRACTAL_NATS_", "OAUTH_", "FRACTAL_EMAIL_")
    return {name: value for name, value in os.environ.items() if not name.startswith(secret)}
