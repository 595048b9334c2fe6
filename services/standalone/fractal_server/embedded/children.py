"""Child processes: how they are started, watched, restarted and stopped."""

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from fractal_common.telemetry import get_logger

log = get_logger(__name__)

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
RESTART_DELAYS_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
STABLE_AFTER_S = 30.0
MAX_LOG_BYTES = 10 * 1024 * 1024
PR_SET_PDEATHSIG = 1


class StartError(Exception):
    """A child did not become ready; the message names it and its log file."""


@dataclass(frozen=True)
class ChildSpec:
    """One long-running process.

    `ready` is asked until it answers true. `account` is the (uid, gid) to run as; None: our own.
    """

    name: str
    argv: list[str]
    environment: dict[str, str] = field(default_factory=dict[str, str])
    ready: Callable[[], Awaitable[bool]] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = STOP_TIMEOUT_S
    account: tuple[int, int] | None = None
    cwd: Path | None = None


class Child:
    """A running child that is started again when it dies, until it is stopped."""

    def __init__(self, spec: ChildSpec, log_file: Path) -> None:
        self.spec = spec
        self.log_file = log_file
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self, on_change: Callable[[], None]) -> None:
        """Start it and wait until it is ready.

        Raises:
            StartError: it ended, or was not ready within `START_TIMEOUT_S`.
        """
        if self.log_file.exists() and self.log_file.stat().st_size > MAX_LOG_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        await self._spawn()
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.spec.ready and not await self.spec.ready():
            if self._process is None or self._process.returncode is not None:
                raise StartError(f"{self.spec.name} ended while starting; see {self.log_file}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.spec.name} is not ready after {START_TIMEOUT_S:.0f} s; see {self.log_file}")
            await asyncio.sleep(0.02)
        self._watcher = asyncio.create_task(self._watch(on_change))

    async def stop(self) -> None:
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            process.send_signal(self.spec.stop_signal)
            try:
                await asyncio.wait_for(process.wait(), self.spec.stop_timeout_s)
            except TimeoutError:
                log.warning("child.killed", child=self.spec.name)
                process.kill()
                await process.wait()
        if self._watcher is not None:
            self._watcher.cancel()

    async def _spawn(self) -> None:
        parent = os.getpid()
        account = self.spec.account

        def before_exec() -> None:
            # A supervisor that is SIGKILLed must not leave anything running.
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL if account is None else signal.SIGINT)
            if account is not None:
                os.setgroups([])
                os.setgid(account[1])
                os.setuid(account[0])
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, self.spec.stop_signal)  # cleared by setuid
            if os.getppid() != parent:
                os._exit(1)

        with self.log_file.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self.spec.argv,
                env={**os.environ, **self.spec.environment},
                cwd=self.spec.cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=before_exec,
            )

    async def _watch(self, on_change: Callable[[], None]) -> None:
        attempt = 0
        while self._process is not None:
            started = time.monotonic()
            status = await self._process.wait()
            if self._stopping:
                return
            attempt = 0 if time.monotonic() - started > STABLE_AFTER_S else attempt
            delay_s = RESTART_DELAYS_S[min(attempt, len(RESTART_DELAYS_S) - 1)]
            attempt += 1
            log.warning("child.restart", child=self.spec.name, status=status, delay_s=delay_s)
            await asyncio.sleep(delay_s)
            await self._spawn()
            on_change()


async def answers(port: int) -> bool:
    """Whether something accepts connections on a port of loopback."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def python_module(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
