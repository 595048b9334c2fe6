"""From batches to jobs, each exactly once.

The loss path that this closes: an sbatch may make a job and never say so, because it timed out, or it or the agent was
killed. So each sbatch has a token, which is written down before it (by us and, claimed for ever, in the user's
directory), stands in the job's comment, and keeps the answer beside it. A submission without an answer is looked for
under its token, and another one is made only when it is certain that there was and will be no job.
"""

import asyncio
import os
import time
import uuid
from collections.abc import Callable

from fractal_common.telemetry import get_logger

from fractal_agent.backends.slurm import refusals, script
from fractal_agent.backends.slurm.commands import SlurmCommands
from fractal_agent.backends.slurm.evidence import SEPARATOR
from fractal_agent.backends.slurm.limits import Window
from fractal_agent.backends.slurm.poller import QueuePoller
from fractal_agent.backends.slurm.records import Allocation, End, Submission, Wave, WaveBusy
from fractal_agent.backends.slurm.refusals import Meaning
from fractal_agent.backends.slurm.settings import SlurmSettings
from fractal_agent.identity.audit import AuditLog
from fractal_agent.identity.delegates import DelegateError, Delegates, DelegateUnavailable
from fractal_agent.packing import fingerprint

log = get_logger(__name__)

WAVE_BUSY_WAIT_S = 1.0
BUSY_WAIT_S = 2.0
MAX_BUSY_WAIT_S = 60.0
LOOK_WAIT_S = 1.0
SHUTDOWN = "Failed due to job-execution shutdown."


class Submitter:
    """One task for each wave that has batches without a job."""

    def __init__(
        self,
        *,
        resource_id: int,
        settings: SlurmSettings,
        commands: SlurmCommands,
        poller: QueuePoller,
        delegates: Delegates,
        audit: AuditLog,
        submitted: Callable[[str | None], int],
        changed: Callable[[Wave], None],
        python: str,
    ) -> None:
        self._resource_id = resource_id
        self._settings = settings
        self._commands = commands
        self._poller = poller
        self._delegates = delegates
        self._audit = audit
        self._submitted = submitted
        """How many jobs of a user are in the queue."""
        self._changed = changed
        self._python = python
        self._block = settings.FRACTAL_AGENT_SLURM_ARRAY_SIZE
        self._windows: dict[str | None, Window] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._woken: dict[str, asyncio.Event] = {}
        self._uncertain_since: dict[str, float] = {}
        self._unavailable_since: dict[str, float] = {}
        self._busy_wait_s = BUSY_WAIT_S

    def wake(self, wave: Wave) -> None:
        """The wave has a new batch, or one that is to stop."""
        key = str(wave.folder)
        self._woken.setdefault(key, asyncio.Event()).set()
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._work(key, wave), name=f"submit-{wave.name}")

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def read_limits(self) -> None:
        """The site's MaxArraySize; if it does not answer, the first refusal tells."""
        answer = await self._commands.run("scontrol", "show", "config")
        for line in answer.stdout.splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "MaxArraySize" and value.strip().isdigit():
                self._block = min(self._block, int(value))
        self._block = power_of_ten(self._block)

    async def _work(self, key: str, wave: Wave) -> None:
        woken = self._woken[key]
        try:
            while True:
                woken.clear()
                wait_s = await self._locked_step(wave)
                if wait_s is None and not woken.is_set():
                    return
                if wait_s:
                    try:
                        await asyncio.wait_for(woken.wait(), wait_s)
                    except TimeoutError:
                        continue
        finally:
            self._tasks.pop(key, None)

    async def _locked_step(self, wave: Wave) -> float | None:
        """Seconds until there may be more to do; None when every batch has its job."""
        try:
            descriptor = wave.lock()
        except FileNotFoundError:
            return None  # the job's folder has been archived
        except WaveBusy:
            return WAVE_BUSY_WAIT_S
        try:
            return await self._step(wave)
        except (DelegateUnavailable, DelegateError) as error:
            return self._unavailable(wave, error)
        except OSError as error:
            log.error("submission.failed", wave=wave.name, error=repr(error))
            return BUSY_WAIT_S
        finally:
            os.close(descriptor)
            self._changed(wave)

    async def _step(self, wave: Wave) -> float | None:
        for submission in wave.submissions():
            if submission.job is None and not submission.is_void:
                wait_s = await self._look_for(wave, submission)
                if wait_s is not None:
                    return wait_s
        assigned = {batch for one in wave.submissions() if not one.is_void for batch in one.batches.values()}
        waiting = [one for name, one in sorted(wave.allocations().items()) if name not in assigned]
        waiting = [one for one in waiting if wave.end(one.batch) is None]
        for one in [one for one in waiting if wave.is_stopping(one.batch)]:
            wave.set_end(one.batch, End("STOPPED", SHUTDOWN))
            waiting.remove(one)
        if not waiting:
            return None
        missing = waiting[0].wave_batches - len(wave.allocations())
        patience = wave.newest() + self._settings.FRACTAL_AGENT_SLURM_WAVE_WAIT_S - time.time()
        if missing > 0 and patience > 0:
            return patience
        return await self._submit(wave, self._group(waiting))

    def _group(self, waiting: list[Allocation]) -> list[Allocation]:
        """The first of them, and those that may be elements of the same array."""
        first = min(waiting, key=lambda one: one.number)
        block = first.number // self._block
        alike = [one for one in waiting if one.request == first.request and one.number // self._block == block]
        distinct = {one.number: one for one in alike}
        return [distinct[number] for number in sorted(distinct)]

    async def _submit(self, wave: Wave, group: list[Allocation]) -> float | None:
        first = group[0]
        user = first.username
        window = self._windows.setdefault(user, Window(self._settings.FRACTAL_AGENT_SLURM_JOBS_PER_USER))
        group = group[: window.room(self._submitted(user))]
        if not group:
            return window.wait_s
        is_array = len(group) > 1
        token = uuid.uuid4().hex[:12]
        places = {str(one.number % self._block) if is_array else "": one for one in group}
        submission = Submission(
            token=token,
            batches={place: one.batch for place, one in places.items()},
            output=script.output_name(first.prefix, first.number, self._block if is_array else None),
        )
        file = f"{first.folder}/{first.prefix}-slurm-submit.sh"
        hidden = f"{first.working_dir_user}/.fractal"
        paths = script.Paths(
            folder=first.folder,
            output=submission.output,
            submission=f"{hidden}/submissions/{token}.json",
            token=f"{hidden}/submissions/{token}",
            worker=f"{hidden}/worker-{fingerprint('worker')}.pyz",
            python=first.job.python or self._python,
        )
        comment = (
            f"fractal resource={self._resource_id} job={first.job_id} batch={first.batch} wave={wave.name} {token}"
        )
        try:
            text = script.script(first.job, paths)
        except script.InvalidRequest as error:
            return self._refuse(wave, group, str(error))
        await self._delegates.ask(user, "prepare", folders=[], files=[
            [paths.submission, script.submission({place: one.directory for place, one in places.items()}), 0o600],
            [file, text, 0o640],
        ])  # fmt: skip
        arguments = script.arguments(first.job, comment, [int(place) for place in places] if is_array else None, file)
        wave.save(submission)
        self._audit.record("sbatch", user=user, why=f"job {first.job_id}, {wave.name}", command=["sbatch", *arguments])
        await self._commands.bucket.take()
        reply = await self._delegates.ask(
            user,
            "sbatch",
            token=paths.token,
            arguments=arguments,
            folder="/",
            timeout_s=self._settings.FRACTAL_AGENT_SLURM_TIMEOUT_S,
        )
        return self._heed(wave, submission, group, reply)

    def _heed(self, wave: Wave, submission: Submission, group: list[Allocation], reply: dict[str, object]) -> float:
        """What sbatch answered."""
        status, stderr = reply.get("status"), str(reply.get("stderr") or "")
        window = self._windows.setdefault(group[0].username, Window(self._settings.FRACTAL_AGENT_SLURM_JOBS_PER_USER))
        job = refusals.job_id(str(reply.get("stdout") or "")) if status == 0 else None
        if job is not None:
            wave.settle(submission, job=job)
            window.accepted(len(group))
            self._busy_wait_s = BUSY_WAIT_S
            self._poller.hurry()
            log.info("batches.submitted", wave=wave.name, job=job, batches=len(group))
            return 0
        what = refusals.meaning(status if isinstance(status, int) and status != 0 else None, stderr)
        log.warning("sbatch.failed", wave=wave.name, status=status, error=stderr.strip()[:1000], meaning=what.value)
        if what is Meaning.UNKNOWN:
            return LOOK_WAIT_S
        wave.settle(submission)
        match what:
            case Meaning.LIMIT:
                window.refused(len(group))
                return window.wait_s if len(group) == 1 else 0
            case Meaning.ARRAY:
                self._block = max(1, self._block // 10)
                return 0
            case Meaning.BUSY:
                self._busy_wait_s = min(2 * self._busy_wait_s, MAX_BUSY_WAIT_S)
                return self._busy_wait_s
            case _:
                return self._refuse(wave, group, stderr.strip())

    async def _look_for(self, wave: Wave, submission: Submission) -> float | None:
        """A submission that nobody knows the end of; None when it is known."""
        allocations = wave.allocations()
        group = [allocations[batch] for batch in submission.batches.values()]
        first = group[0]
        token = f"{first.working_dir_user}/.fractal/submissions/{submission.token}"
        found = await self._delegates.ask(first.username, "attempt", token=token)
        if not found["started"]:
            wave.settle(submission)
            return None
        if found["running"]:
            return LOOK_WAIT_S
        since = self._uncertain_since.setdefault(submission.token, time.monotonic())
        reply = found["reply"]
        if reply is not None:
            answered = reply.get("status") == 0 and refusals.job_id(reply["stdout"]) is not None
            status = reply.get("status")
            if answered or refusals.meaning(status if status != 0 else None, reply["stderr"]) is not Meaning.UNKNOWN:
                return self._heed(wave, submission, group, reply) or None
        job = found["job"] or await self._search(first, submission.token, since)
        if job is not None:
            log.info("submission.found", wave=wave.name, job=job)
            wave.settle(submission, job=job)
            return None
        if time.monotonic() - since < self._settings.FRACTAL_AGENT_SLURM_SETTLE_S:
            return LOOK_WAIT_S
        snapshot = self._poller.snapshot
        if snapshot is None or snapshot.started_s < since + self._settings.FRACTAL_AGENT_SLURM_SETTLE_S:
            await self._poller.after(since + self._settings.FRACTAL_AGENT_SLURM_SETTLE_S, 5.0)
            return LOOK_WAIT_S
        wave.settle(submission)
        del self._uncertain_since[submission.token]
        return None

    async def _search(self, allocation: Allocation, token: str, since: float) -> str | None:
        """The job with this token, in the queue or, where accounting keeps how jobs were submitted, gone from it."""
        snapshot = await self._poller.after(since, 5.0)
        if snapshot is None:
            return None
        job = snapshot.named(token)
        if job is not None:
            return job
        user = ["--user", allocation.username] if allocation.username else []
        fields = "--format=JobID,SubmitLine,Comment"
        answer = await self._commands.run(
            "sacct", "-X", "-n", "-P", f"--delimiter={SEPARATOR}", "-S", "now-2days", *user, fields
        )
        for line in answer.stdout.splitlines() if answer.is_good else []:
            if token in line:
                return line.partition(SEPARATOR)[0].partition("_")[0]
        return None

    def _refuse(self, wave: Wave, group: list[Allocation], words: str) -> float:
        for one in group:
            asked = ", ".join(f"{name}={value}" for name, value in script.options(one.job).items())
            text = f"SLURM refuses the job: {words}\nAsked for: {asked}."
            wave.set_end(one.batch, End("SUBMIT_FAILED", text))
        return 0

    def _unavailable(self, wave: Wave, error: Exception) -> float:
        """Nothing can be done as the user; for a while that may pass."""
        since = self._unavailable_since.setdefault(wave.name, time.monotonic())
        log.warning("user.unavailable", wave=wave.name, error=str(error))
        if time.monotonic() - since < self._settings.FRACTAL_AGENT_SLURM_UNAVAILABLE_S:
            return BUSY_WAIT_S
        del self._unavailable_since[wave.name]
        for batch, one in wave.allocations().items():
            if wave.submission_of(batch) is None and wave.end(batch) is None:
                wave.set_end(batch, End("USER_UNAVAILABLE", f"Cannot act as Unix user {one.username!r}: {error}"))
        return BUSY_WAIT_S


def power_of_ten(limit: int) -> int:
    """The largest that is not above the limit: an element's place is then the last digits of its batch's number."""
    block = 1
    while block * 10 <= min(limit, 1000):
        block *= 10
    return block
