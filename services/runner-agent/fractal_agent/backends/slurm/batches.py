"""All batches of this agent that go to SLURM."""

import asyncio
import base64
import errno
import json
import re
import sys
import time
from pathlib import Path

from fractal_common.messages import BatchCancel, BatchFinished, BatchRun
from fractal_common.telemetry import get_logger

from fractal_agent import packing
from fractal_agent.backends.slurm.cancelling import Canceller
from fractal_agent.backends.slurm.commands import SlurmCommands
from fractal_agent.backends.slurm.following import Follower
from fractal_agent.backends.slurm.poller import QueuePoller
from fractal_agent.backends.slurm.queue import Snapshot
from fractal_agent.backends.slurm.records import NAME, Allocation, Identity, Wave, wave_of
from fractal_agent.backends.slurm.settings import SlurmSettings
from fractal_agent.backends.slurm.submitting import Submitter
from fractal_agent.backends.slurm.tracking import Tracked
from fractal_agent.batchdir import write_json
from fractal_agent.folders import FolderError, ensure_job_folder, write_log
from fractal_agent.identity.audit import AuditLog
from fractal_agent.identity.delegates import DelegateError, Delegates, DelegateUnavailable
from fractal_agent.identity.policy import UserPolicy, UserRefused
from fractal_agent.reporting import Publish, Reporter
from fractal_agent.settings import Confinement

log = get_logger(__name__)

IDLE_DELEGATE_S = 600.0
FIRST_LOOK_S = 4.0
FULL = {f"[Errno {number}]" for number in (errno.ENOSPC, errno.EDQUOT)}


class SlurmBatches:
    """Made durable when it is asked for, submitted by wave, followed until it is reported as finished."""

    def __init__(
        self,
        *,
        resource_id: int,
        state_dir: Path,
        settings: SlurmSettings,
        policy: UserPolicy,
        delegates: Delegates,
        audit: AuditLog,
        confinement: Confinement,
        publish: Publish,
    ) -> None:
        self._journal = state_dir / "slurm"
        self._journal.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._settings = settings
        self._policy = policy
        self._delegates = delegates
        self._audit = audit
        self._confinement = confinement
        self._reporter = Reporter(publish)
        self._waves: dict[Path, Wave] = {}
        self._unavailable_since: dict[str, float] = {}
        rate = settings.FRACTAL_AGENT_SLURM_COMMANDS_PER_S
        commands = SlurmCommands(
            rate_per_s=rate, burst=max(1, round(2 * rate)), timeout_s=settings.FRACTAL_AGENT_SLURM_TIMEOUT_S
        )
        self.follower = Follower(
            settings=settings,
            commands=commands,
            delegates=delegates,
            reporter=self._reporter,
            forget=self._forget,
        )
        self.poller = QueuePoller(
            commands,
            self.follower.activity,
            busy_interval_s=settings.FRACTAL_AGENT_SLURM_INTERVAL_S,
            idle_interval_s=settings.FRACTAL_AGENT_SLURM_IDLE_INTERVAL_S,
        )
        self._submitter = Submitter(
            resource_id=resource_id,
            settings=settings,
            commands=commands,
            poller=self.poller,
            delegates=delegates,
            audit=audit,
            submitted=self.follower.submitted,
            changed=self._submitted,
            python=sys.executable,
        )
        self._canceller = Canceller(commands, delegates, audit, timeout_s=settings.FRACTAL_AGENT_SLURM_TIMEOUT_S)
        self._background: list[asyncio.Task[None]] = []

    def __len__(self) -> int:
        return len(self.follower.batches)

    def working_dirs(self) -> list[Path]:
        """Job folders of all batches that are not reported as finished."""
        return [Path(one.allocation.working_dir) for one in self.follower.batches.values()]

    async def queue(self) -> Snapshot | None:
        """The last look at the queue; the first one is waited for."""
        self._start()
        return self.poller.snapshot or await self.poller.after(0.0, FIRST_LOOK_S)

    def attach_all(self) -> None:
        """Take up what an earlier agent left."""
        for file in sorted(self._journal.glob("*.json")):
            entry = json.loads(file.read_text())
            wave = self._wave(Path(entry["working_dir"]), entry["wave"])
            allocation = wave.allocation(entry["batch"])
            if allocation is None:
                file.unlink(missing_ok=True)
            else:
                self._track(wave, allocation)

    def _start(self) -> None:
        """From the first time that SLURM matters until `close`: hosts without it are not asked for it."""
        if self._background:
            return
        self._background = [
            asyncio.create_task(coroutine, name=f"slurm-{name}")
            for name, coroutine in (
                ("poll", self.poller.run()),
                ("watch", self._watch()),
                ("signs", self.follower.give_signs()),
                ("cancel", self._canceller.run()),
                ("limits", self._submitter.read_limits()),
            )
        ]

    async def close(self) -> None:
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._submitter.close()
        await self.follower.close()

    async def run(self, command: BatchRun) -> None:
        """Make sure that the batch runs, once. When this returns, that no longer depends on the command."""
        working_dir = self._confinement.check(command.working_dir)
        for name in (command.batch, command.wave or command.batch):
            if not NAME.fullmatch(name):
                raise PermissionError(f"{name!r} is not the name of a batch")
        tracked = self.follower.batches.get(command.batch)
        if tracked is not None:
            tracked.tell_again()
            return
        try:
            allocation = self._allocation(command, working_dir)
            wave = self._wave(working_dir, allocation.wave)
            if wave.allocation(command.batch) is None:
                await self._prepare(command, allocation, working_dir)
                wave.add(allocation)
        except UserRefused as error:
            why = f"job {command.job_id}, {command.batch}"
            self._audit.record("act as user", user=command.username, why=why, refused=str(error))
            await self._fail(command, "REFUSED", f"Cannot run as Unix user {command.username!r}: {error}.")
            return
        except FolderError as error:
            await self._fail(command, "FOLDER_ERROR", str(error))
            return
        except DelegateUnavailable as error:
            since = self._unavailable_since.setdefault(command.batch, time.monotonic())
            if time.monotonic() - since < self._settings.FRACTAL_AGENT_SLURM_UNAVAILABLE_S:
                raise
            del self._unavailable_since[command.batch]
            await self._fail(command, "USER_UNAVAILABLE", f"Cannot act as Unix user {command.username!r}: {error}")
            return
        write_json(
            self._journal / f"{command.batch}.json",
            {"batch": command.batch, "wave": allocation.wave, "working_dir": str(working_dir)},
        )
        self._track(wave, wave.allocation(command.batch) or allocation)

    async def cancel(self, command: BatchCancel) -> bool:
        """Whether the batch is one of SLURM's. Idempotent: said again, it is done again."""
        working_dir = self._confinement.check(command.working_dir)
        wave = wave_of(working_dir, command.batch)
        if wave is None:
            return False
        wave = self._wave(working_dir, wave.name)
        wave.request_stop(command.batch)
        allocation = wave.allocation(command.batch)
        submission = wave.submission_of(command.batch)
        self._submitter.wake(wave)
        if allocation is None or wave.end(command.batch) is not None:
            return True
        if submission is not None and submission.job is not None:
            place = submission.place(command.batch)
            handle = submission.job if place is None else f"{submission.job}_{place}"
            self._canceller.cancel(allocation, handle)
        return True

    def _allocation(self, command: BatchRun, working_dir: Path) -> Allocation:
        assert command.slurm is not None, "the caller has looked"
        folder = self._confinement.check(command.folder)
        if not folder.is_relative_to(working_dir) or folder == working_dir:
            raise PermissionError(f"{command.folder} is not below {command.working_dir}")
        if not Path(command.working_dir_user).is_absolute() or ".." in Path(command.working_dir_user).parts:
            raise PermissionError(f"{command.working_dir_user} is not an absolute path")
        prefix = command.units[0].name.rpartition("-")[0] if command.units else command.batch
        number = re.fullmatch(r"par-(\d{6})", prefix)
        return Allocation(
            batch=command.batch,
            job_id=command.job_id,
            wave=command.wave or command.batch,
            wave_batches=command.wave_batches,
            number=int(number[1]) if number else command.wave_index,
            prefix=prefix,
            units=len(command.units),
            working_dir=str(working_dir),
            username=self._policy.check(command.username),
            working_dir_user=command.working_dir_user,
            folder=f"{command.working_dir_user}/{folder.relative_to(working_dir)}",
            slurm=command.slurm.model_dump(),
        )

    async def _prepare(self, command: BatchRun, allocation: Allocation, working_dir: Path) -> None:
        """Folders on both sides, and what the worker is to do."""
        ensure_job_folder(working_dir, command.job_id, new=command.new_working_dir)
        Identity(allocation.username, allocation.working_dir_user).write(working_dir)
        write_log(working_dir, command.workflow_log)
        spec = {
            "version": 1,
            "batch": command.batch,
            "command": command.command,
            "folder": allocation.folder,
            "cwd": None,
            "env": command.environment,
            "processes": command.processes or 1,
            "common": command.common,
            "units": [unit.model_dump() for unit in command.units],
            "scheduled": True,
            "memory_per_unit_mb": allocation.job.memory_per_unit_mb,
        }
        hidden = f"{allocation.working_dir_user}/.fractal"
        folders: list[tuple[str, int]] = [
            (allocation.working_dir_user, 0o750),
            (allocation.folder, 0o750),
            (hidden, 0o700),
            (f"{hidden}/submissions", 0o700),
            (allocation.directory, 0o700),
        ]
        try:
            await self._delegates.ask(
                allocation.username,
                "prepare",
                folders=folders,
                files=[[f"{allocation.directory}/spec.json", json.dumps(spec), 0o600]],
            )
            await self._delegates.ask(
                allocation.username,
                "install",
                path=f"{hidden}/worker-{packing.fingerprint('worker')}.pyz",
                data=base64.b64encode(packing.pack("worker")).decode(),
                mode=0o600,
            )
        except DelegateError as error:
            if any(word in str(error) for word in FULL):
                raise OSError(errno.ENOSPC, str(error)) from error
            raise FolderError(
                f"Could not mkdir {command.working_dir} or {command.working_dir_user}. Original error: {error}."
            ) from error

    async def _fail(self, command: BatchRun, cause: str, error: str) -> None:
        event = BatchFinished(batch=command.batch, cause=cause, error=error, results=0)
        await self._reporter.say(event, f"failed-{time.time():.3f}")

    def _wave(self, working_dir: Path, name: str) -> Wave:
        wave = Wave(working_dir, name)
        return self._waves.setdefault(wave.folder, wave)

    def _track(self, wave: Wave, allocation: Allocation) -> None:
        self._start()
        tracked = Tracked(wave, allocation)
        tracked.end = wave.end(allocation.batch)
        tracked.attach(wave.submission_of(allocation.batch))
        self.follower.add(tracked)
        if tracked.submission is None and tracked.end is None:
            self._submitter.wake(wave)
        else:
            self.poller.hurry()

    def _submitted(self, wave: Wave) -> None:
        """The submitter, ours or another agent's, has looked at the wave: what has a job now?"""
        for tracked in self.follower.batches.values():
            if tracked.wave is not wave or tracked.submission is not None:
                continue
            tracked.end = wave.end(tracked.batch)
            tracked.attach(wave.submission_of(tracked.batch))
            if tracked.submission is not None and wave.is_stopping(tracked.batch) and tracked.handle is not None:
                self._canceller.cancel(tracked.allocation, tracked.handle)

    def _forget(self, tracked: Tracked) -> None:
        (self._journal / f"{tracked.batch}.json").unlink(missing_ok=True)
        if all(one.wave is not tracked.wave for one in self.follower.batches.values()):
            self._waves.pop(tracked.wave.folder, None)

    async def _watch(self) -> None:
        """After each look at the queue: who is over, and what accounting says of it."""
        moment = 0.0
        while True:
            snapshot = await self.poller.next(moment)
            moment = snapshot.started_s
            for tracked in self.follower.batches.values():
                tracked.see(snapshot)
            await self.follower.ask_accounting()
            await self._delegates.close_idle(IDLE_DELEGATE_S)
