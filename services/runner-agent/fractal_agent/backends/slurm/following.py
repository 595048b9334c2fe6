"""Results of running jobs as they are written, and the end of each job as soon as it is certain."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from fractal_common.messages import BatchesAlive, BatchFinished, BatchRunning, BatchSubmitted, UnitOutcome
from fractal_common.scheduler import without_noise
from fractal_common.telemetry import get_logger

from fractal_agent.backends.slurm import ending, evidence
from fractal_agent.backends.slurm.commands import SlurmCommands
from fractal_agent.backends.slurm.poller import Activity
from fractal_agent.backends.slurm.settings import SlurmSettings
from fractal_agent.backends.slurm.tracking import Tracked
from fractal_agent.identity.delegates import DelegateError, Delegates, DelegateUnavailable
from fractal_agent.reporting import Reporter

log = get_logger(__name__)

LOOK_INTERVAL_S = 0.25
LOOKS_PER_S = 400
"""Batch directories that are looked at in a second, at most: with more of them each is looked at less often."""
BATCHES_PER_LOOK = 100
SIGN_OF_LIFE_INTERVAL_S = 5.0
BATCHES_PER_SIGN = 1000
TROUBLE_WAIT_S = 2.0
ACCOUNTS_PER_QUESTION = 500
MAX_STDERR_CHARACTERS = 16_000


class Follower:
    """Looks after all batches of an agent, each user's by themselves."""

    def __init__(
        self,
        *,
        settings: SlurmSettings,
        commands: SlurmCommands,
        delegates: Delegates,
        reporter: Reporter,
        forget: Callable[[Tracked], None],
    ) -> None:
        self._settings = settings
        self._commands = commands
        self._delegates = delegates
        self._reporter = reporter
        self._forget = forget
        self.batches: dict[str, Tracked] = {}
        self._users: dict[str | None, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()

    def add(self, tracked: Tracked) -> None:
        self.batches[tracked.batch] = tracked
        if tracked.user not in self._users:
            name = f"follow-{tracked.user}"
            self._users[tracked.user] = asyncio.create_task(self._follow(tracked.user), name=name)

    async def close(self) -> None:
        for task in self._users.values():
            task.cancel()
        await asyncio.gather(*self._users.values(), return_exceptions=True)

    def activity(self) -> Activity:
        """The most lively of them; a change not long ago counts as life."""
        return max((one.activity for one in self.batches.values()), key=lambda one: one.value, default=Activity.NONE)

    def submitted(self, user: str | None) -> int:
        """How many jobs of a user are in the queue."""
        return sum(1 for one in self.batches.values() if one.user == user and one.activity is not Activity.NONE)

    async def _follow(self, user: str | None) -> None:
        while True:
            mine = [one for one in self.batches.values() if one.user == user]
            if not mine:
                del self._users[user]
                return
            due = [one for one in mine if one.end is not None or one.activity is Activity.RUNNING or one.over_since]
            try:
                for start in range(0, len(due), BATCHES_PER_LOOK):
                    await self._look(user, due[start : start + BATCHES_PER_LOOK])
                await self._announce(mine)
            except DelegateUnavailable as error:
                log.warning("results.unreadable", user=user, error=str(error))
                for one in mine:
                    one.trouble = str(error)
                    await self._conclude(one, None)
                await asyncio.sleep(TROUBLE_WAIT_S)
            except Exception as error:
                log.error("follow.failed", user=user, error=repr(error))
                await asyncio.sleep(TROUBLE_WAIT_S)
            await asyncio.sleep(max(LOOK_INTERVAL_S, len(due) / LOOKS_PER_S))

    async def _announce(self, batches: Iterable[Tracked]) -> None:
        for one in batches:
            if one.handle is not None and not one.said_submitted:
                one.said_submitted = True
                await self._reporter.say(BatchSubmitted(batch=one.batch, handle=one.handle), f"submitted-{time.time()}")

    async def _look(self, user: str | None, batches: list[Tracked]) -> None:
        await self._announce(batches)
        question = [[one.allocation.directory, one.offset] for one in batches]
        looks: list[dict[str, Any]] = await self._delegates.ask(user, "follow", batches=question)
        for one, (_, offset), look in zip(batches, question, looks, strict=True):
            if one.offset == offset and self.batches.get(one.batch) is one:
                await self._take_in(one, look)

    async def _take_in(self, one: Tracked, look: dict[str, Any]) -> None:
        one.trouble = look.get("error")
        if one.trouble is not None:
            log.warning("results.refused", batch=one.batch, error=one.trouble)
            await self._conclude(one, None)
            return
        one.worker = look["worker"] or one.worker
        if look["worker"] is not None and not one.said_running:
            one.said_running = True
            await self._reporter.say(BatchRunning(batch=one.batch, results=one.reported), f"running-{time.time():.3f}")
        outcomes = self._parse(one, look["lines"])
        if look["lines"]:
            one.offset = int(look["offset"])
        if outcomes:
            await self._reporter.say_outcomes(one.batch, outcomes, one.reported)
            one.reported += len(outcomes)
        if not look["lines"]:
            await self._conclude(one, look["end"])

    def _parse(self, one: Tracked, lines: str) -> list[UnitOutcome]:
        """Of lines that a user may have touched, those that make sense."""
        outcomes: list[UnitOutcome] = []
        for line in lines.splitlines():
            try:
                document = json.loads(line)
                outcome = UnitOutcome.model_validate(document)
                one.cpu_s += float(document.get("cpu_s") or 0)
            except (ValueError, TypeError, AttributeError):
                log.warning("result.nonsense", batch=one.batch, line=line[:200])
                continue
            outcomes.append(outcome)
        return outcomes

    async def _conclude(self, one: Tracked, marker: dict[str, Any] | None) -> None:
        """Tell the end, if it has come. It is written down first: told again it is the same."""
        end = one.end or one.wave.end(one.batch)
        if end is None:
            end = ending.by_marker(one, marker) if marker else ending.by_scheduler(one, self._settings)
            if end is None:
                return
            end = replace(end, stderr=await self._stderr(one))
            if end.stderr and end.error and end.cause != "STOPPED":
                end = replace(end, error=f"{end.error}\nSTDERR of the job: {end.stderr}")
            one.wave.set_end(one.batch, end)
        one.end = end
        await self._reporter.say(
            BatchFinished(
                batch=one.batch,
                cause=end.cause,
                error=end.error,
                results=one.reported,
                evidence=end.scheduler_evidence,
                stderr=end.stderr,
            ),
            f"finished-{time.time():.3f}",
        )
        if self.batches.get(one.batch) is one:
            del self.batches[one.batch]
            self._forget(one)

    async def _stderr(self, one: Tracked) -> str | None:
        if one.error_file is None:
            return None
        try:
            text: str = await self._delegates.ask(one.user, "errors", path=one.error_file)
        except (DelegateError, DelegateUnavailable) as error:
            return str(error)
        return "\n".join(without_noise(text)).strip()[-MAX_STDERR_CHARACTERS:] or None

    async def give_signs(self) -> None:
        """Until cancelled: what waits and what runs is alive, said for many at once."""
        while True:
            await asyncio.sleep(SIGN_OF_LIFE_INTERVAL_S)
            names = list(self.batches)
            for start in range(0, len(names), BATCHES_PER_SIGN):
                some = names[start : start + BATCHES_PER_SIGN]
                sign = BatchesAlive(
                    results={name: self.batches[name].reported for name in some if name in self.batches}
                )
                await self._reporter.say(sign, f"alive-{sign.id}")

    async def ask_accounting(self) -> None:
        """One question about all jobs that are over without an end marker."""
        wanted = {
            one.handle: one
            for one in self.batches.values()
            if one.handle and one.end is None and ending.wants_account(one, self._settings)
        }
        handles = list(wanted)
        for start in range(0, len(handles), ACCOUNTS_PER_QUESTION):
            some = handles[start : start + ACCOUNTS_PER_QUESTION]
            answer = await self._commands.run(
                "sacct",
                "--noheader",
                "--parsable2",
                f"--delimiter={evidence.SEPARATOR}",
                f"--format={','.join(evidence.FIELDS)}",
                f"--jobs={','.join(sorted({handle.partition('_')[0] for handle in some}))}",
            )
            rows = evidence.read_accounts(answer.stdout) if answer.is_good else {}
            if not answer.is_good:
                log.warning("sacct.failed", status=answer.status, error=answer.stderr.strip()[:500])
            for handle in some:
                one = wanted[handle]
                one.account = rows.get(handle) or rows.get(handle.partition("_")[0]) or one.account
                one.account_disabled = "accounting storage is disabled" in answer.stderr + answer.stdout
                one.account_asked += 1
