"""One squeue a tick, for all jobs of all users."""

import asyncio
import time
from collections.abc import Callable
from enum import Enum

from fractal_common.telemetry import get_logger

from fractal_agent.backends.slurm import queue
from fractal_agent.backends.slurm.commands import SlurmCommands

log = get_logger(__name__)

SHARE_OF_TIME = 10
"""A slow squeue is asked so many times its own duration later, at the earliest."""
MAX_FAILURE_INTERVAL_S = 30.0
PENDING_FACTOR = 3
"""While all of ours only wait, so many times the busy interval."""


class Activity(Enum):
    """What our jobs do."""

    NONE = 0
    PENDING = 1
    RUNNING = 2


class QueuePoller:
    """The last good answer, and when the next is due. A bad answer changes nothing but when to ask again."""

    def __init__(
        self,
        commands: SlurmCommands,
        activity: Callable[[], Activity],
        *,
        busy_interval_s: float,
        idle_interval_s: float,
    ) -> None:
        self._commands = commands
        self._activity = activity
        self._busy_interval_s = busy_interval_s
        self._idle_interval_s = idle_interval_s
        self._wake = asyncio.Event()
        self._new = asyncio.Condition()
        self.snapshot: queue.Snapshot | None = None
        self.polls = 0

    def hurry(self) -> None:
        """There is something to see: ask at the busy interval from now on."""
        self._wake.set()

    async def after(self, moment_s: float, timeout_s: float) -> queue.Snapshot | None:
        """A good answer to a question that was asked after that monotonic time; None if there is none in time."""
        self.hurry()

        def is_later() -> bool:
            return self.snapshot is not None and self.snapshot.started_s > moment_s

        try:
            async with asyncio.timeout(timeout_s), self._new:
                await self._new.wait_for(is_later)
        except TimeoutError:
            return None
        return self.snapshot

    async def next(self, moment_s: float) -> queue.Snapshot:
        """The next good answer to a question that was asked after that monotonic time."""
        async with self._new:
            await self._new.wait_for(lambda: self.snapshot is not None and self.snapshot.started_s > moment_s)
        assert self.snapshot is not None, "waited for"
        return self.snapshot

    async def run(self) -> None:
        """Until cancelled."""
        failures = 0
        while True:
            start = time.monotonic()
            failures = 0 if await self._poll(start) else failures + 1
            duration = time.monotonic() - start
            await self._rest(start, duration, failures)

    async def _poll(self, start: float) -> bool:
        self.polls += 1
        answer = await self._commands.run("squeue", "--states=all", f"--format={queue.FORMAT}")
        if not answer.is_good:
            log.warning("squeue.failed", status=answer.status, error=answer.stderr.strip()[:500])
            return False
        try:
            snapshot = queue.read(answer.stdout, start)
        except queue.Nonsense as error:
            log.warning("squeue.nonsense", answer=str(error))
            return False
        async with self._new:
            self.snapshot = snapshot
            self._new.notify_all()
        return True

    async def _rest(self, start: float, duration: float, failures: int) -> None:
        shortest = max(self._busy_interval_s, SHARE_OF_TIME * duration)
        if failures:
            await asyncio.sleep(min(self._busy_interval_s * 2 ** min(failures, 10), MAX_FAILURE_INTERVAL_S))
            return
        self._wake.clear()
        while (left := start + self._interval(shortest) - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(self._wake.wait(), left)
            except TimeoutError:
                return
            self._wake.clear()
            await asyncio.sleep(max(0.0, start + shortest - time.monotonic()))
            return

    def _interval(self, shortest: float) -> float:
        match self._activity():
            case Activity.RUNNING:
                return shortest
            case Activity.PENDING:
                return min(PENDING_FACTOR * shortest, self._idle_interval_s)
            case Activity.NONE:
                return max(shortest, self._idle_interval_s)
