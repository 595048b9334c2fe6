"""scancel, for many jobs of a user at once."""

import asyncio
from collections.abc import Sequence

from fractal_common.telemetry import get_logger

from fractal_agent.backends.slurm.commands import SlurmCommands
from fractal_agent.backends.slurm.records import Allocation
from fractal_agent.identity.audit import AuditLog
from fractal_agent.identity.delegates import DelegateError, Delegates, DelegateUnavailable

log = get_logger(__name__)

COLLECT_S = 0.1
RETRY_S = 2.0
JOBS_PER_COMMAND = 200


class Canceller:
    """Collects for a moment, then stops: a word to the workers first, so that the units say that they were stopped."""

    def __init__(self, commands: SlurmCommands, delegates: Delegates, audit: AuditLog, *, timeout_s: float) -> None:
        self._commands = commands
        self._delegates = delegates
        self._audit = audit
        self._timeout_s = timeout_s
        self._wanted: dict[str | None, dict[str, Allocation]] = {}
        self._woken = asyncio.Event()

    def cancel(self, allocation: Allocation, handle: str) -> None:
        self._wanted.setdefault(allocation.username, {})[handle] = allocation
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._woken.wait()
            await asyncio.sleep(COLLECT_S)
            self._woken.clear()
            wanted, self._wanted = self._wanted, {}
            await asyncio.gather(*(self._cancel_all(user, jobs) for user, jobs in wanted.items()))

    async def _cancel_all(self, user: str | None, jobs: dict[str, Allocation]) -> None:
        handles = sorted(jobs)
        for start in range(0, len(handles), JOBS_PER_COMMAND):
            some = handles[start : start + JOBS_PER_COMMAND]
            if not await self._cancel(user, some, [jobs[handle] for handle in some]):
                asyncio.get_running_loop().call_later(RETRY_S, self._again, {handle: jobs[handle] for handle in some})

    async def _cancel(self, user: str | None, handles: list[str], allocations: Sequence[Allocation]) -> bool:
        why = ", ".join(sorted({f"job {one.job_id}, {one.wave}" for one in allocations}))
        self._audit.record("scancel", user=user, why=why, command=["scancel", *handles])
        stops = [[f"{one.directory}/stop", "", 0o600] for one in allocations]
        try:
            await self._delegates.ask(user, "prepare", folders=[], files=stops)
            await self._commands.bucket.take()
            answer = await self._delegates.ask(user, "scancel", jobs=handles, timeout_s=self._timeout_s)
        except (DelegateError, DelegateUnavailable) as error:
            log.warning("cancel.failed", user=user, error=str(error))
            return False
        if answer["status"] != 0:
            log.warning("scancel.failed", user=user, status=answer["status"], error=answer["stderr"][:500])
        return answer["status"] == 0

    def _again(self, jobs: dict[str, Allocation]) -> None:
        for handle, allocation in jobs.items():
            self.cancel(allocation, handle)
