"""The data directory of an embedded stack: `.fractal/` in the working directory, or `FRACTAL_HOME`."""

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


class HomeInUseError(Exception):
    """Another supervisor runs on the same data directory."""


class Home:
    """Layout, remembered ports, generated secrets, and the lock that keeps a second supervisor out.

    The lock is a flock: it vanishes with its process, so a crash leaves nothing locked.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = (path or Path(os.environ.get("FRACTAL_HOME", ".fractal"))).absolute()
        self._lock: int | None = None

    def prepare(self) -> None:
        # Postgres runs as another account when we are root, and must be able to reach its directory.
        self.path.mkdir(mode=0o755, parents=True, exist_ok=True)
        for name in ("logs", "jobs", "tasks", "projects"):
            self.directory(name).mkdir(exist_ok=True)
        self.directory("secrets").mkdir(mode=0o700, exist_ok=True)

    def directory(self, name: str) -> Path:
        return self.path / name

    def lock(self) -> None:
        """Raises HomeInUseError naming the directory."""
        descriptor = os.open(self.path / "supervisor.lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise HomeInUseError(f"{self.path} is in use by a running stack (`make down` stops it)") from None
        self._lock = descriptor

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def is_locked(self) -> bool:
        """Whether a supervisor runs on the directory."""
        try:
            self.lock()
        except FileNotFoundError:
            return False
        except HomeInUseError:
            return True
        self.unlock()
        return False

    def secret(self, name: str) -> str:
        """A random text made at first use and kept in a file that only we can read."""
        file = self.directory("secrets") / name
        if not file.exists():
            draft = self.directory("secrets") / f".{name}.{os.getpid()}"
            descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "w") as stream:
                stream.write(secrets.token_urlsafe(32))
            # Of several processes that come here at once the first one's text counts, for all of them.
            with suppress(FileExistsError):
                os.link(draft, file)
            draft.unlink()
        return file.read_text()

    def port(self, name: str) -> int:
        """A free port of loopback, remembered; another one if a stranger has taken it since."""
        with self._ports() as ports:
            if not (name in ports and is_free("127.0.0.1", ports[name])):
                ports[name] = _free_port(exclude=set(ports.values()))
            return ports[name]

    def remembered_port(self, name: str) -> int:
        """The same port in every process, whether or not something of ours listens on it already."""
        with self._ports() as ports:
            return ports.setdefault(name, _free_port(exclude=set(ports.values())))

    @contextmanager
    def _ports(self) -> Generator[dict[str, int]]:
        """What is remembered; changes are written back, one process at a time."""
        file = self.path / "ports.json"
        with (self.path / "ports.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            ports: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
            before = dict(ports)
            yield ports
            if ports != before:
                write_json(file, ports)

    def runtime(self) -> dict[str, Any]:
        """What the supervisor last said about its children: names, process ids, the URL. No secrets."""
        file = self.path / "runtime.json"
        return json.loads(file.read_text()) if file.exists() else {}


def write_json(file: Path, value: Any) -> None:
    """Replace a file in one step."""
    draft = file.with_suffix(".tmp")
    draft.write_text(json.dumps(value, indent=2))
    draft.replace(file)


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _free_port(exclude: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in exclude:
            return port
