"""Batches as detached processes of this machine, which go on when the agent dies."""

import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

from fractal_agent.batchdir import BatchDirectory

WORKER = Path(str(files("fractal_agent").joinpath("worker.py")))


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

    def handle(self, directory: BatchDirectory) -> str:
        try:
            return str(json.loads((directory.path / "worker.json").read_text())["pid"])
        except (OSError, ValueError, KeyError):
            return "unknown"

    def _reap(self) -> None:
        self._children = [child for child in self._children if child.poll() is None]


def _environment() -> dict[str, str]:
    """Ours, less what is the server's alone: tasks get no secret."""
    secret = ("POSTGRES_", "JWT_", "FRACTAL_NATS_", "OAUTH_", "FRACTAL_EMAIL_")
    return {name: value for name, value in os.environ.items() if not name.startswith(secret)}
