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
SPARE_DELAY_S = 0.01


class LocalBackend:
    """A worker per batch. It is adopted by its lock: starting one that lives already does nothing.

    One worker more waits for the next batch, for an interpreter takes longer to start than a short task to run.
    """

    def __init__(self) -> None:
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        """By batch directory; those that live."""
        self._spare: subprocess.Popen[bytes] | None = None

    def ensure(self, directory: BatchDirectory) -> str:
        """Start a worker unless one lives or the batch has ended; returns its handle (a process id, for people)."""
        self._reap()
        if directory.is_worker_alive() or directory.end() is not None:
            return self.handle(directory)
        child, self._spare = self._spare or _worker(), None
        if not _give(child, directory):  # the spare one has been killed
            child = _worker()
            _give(child, directory)
        self._children[str(directory.path)] = child
        asyncio.get_running_loop().call_later(SPARE_DELAY_S, self._keep_spare)
        return str(child.pid)

    def is_starting(self, directory: BatchDirectory) -> bool:
        """Whether a worker of ours lives that may not have taken its lock yet."""
        self._reap()
        return str(directory.path) in self._children

    def _keep_spare(self) -> None:
        if self._spare is None or self._spare.poll() is not None:
            self._spare = _worker()

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
        self._children = {path: child for path, child in self._children.items() if child.poll() is None}


def _worker() -> subprocess.Popen[bytes]:
    """A worker that waits to be told its directory; it ends when this process does before."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(WORKER), "-"],
        stdin=subprocess.PIPE,
        start_new_session=True,
        cwd="/",
        env=_environment(),
    )


def _give(worker: subprocess.Popen[bytes], directory: BatchDirectory) -> bool:
    """Whether the worker was there to be told."""
    assert worker.stdin is not None, "it is told by its standard input"
    try:
        worker.stdin.write(os.fsencode(directory.path))
        worker.stdin.close()
    except BrokenPipeError:
        return False
    return True


def _environment() -> dict[str, str]:
    """Ours, less what is the server's alone: tasks get no secret."""
    secret = ("POSTGRES_", "JWT_", "FRACTAL_NATS_", "OAUTH_", "FRACTAL_EMAIL_")
    return {name: value for name, value in os.environ.items() if not name.startswith(secret)}
