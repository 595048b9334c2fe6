"""Running batches: started or adopted, followed, and reported until the engine has everything."""

import asyncio
import os
import time
from pathlib import Path

from fractal_common.messages import (
    BatchCancel,
    BatchFinished,
    BatchRun,
    BatchRunning,
    BatchSubmitted,
)
from fractal_common.telemetry import get_logger

from fractal_agent.backends.local import LocalBackend
from fractal_agent.batchdir import BatchDirectory
from fractal_agent.folders import FolderError, ensure_job_folder, write_log
from fractal_agent.journal import Entry, Journal
from fractal_agent.reporting import Publish, Reporter
from fractal_agent.settings import Confinement

log = get_logger(__name__)

REPORT_INTERVAL_S = 0.25
"""Between two reports of a batch that goes on: what finishes meanwhile travels together."""
SIGN_OF_LIFE_INTERVAL_S = 5.0
MAX_WORKER_STARTS = 5
DEFAULT_PROCESSES_MAX = 32


def default_processes() -> int:
    """When nothing is asked for: as many as Python's own pools take."""
    return min(DEFAULT_PROCESSES_MAX, (os.cpu_count() or 1) + 4)


class Batches:
    """All batches of this agent that are not reported as finished."""

    def __init__(self, journal: Journal, backend: LocalBackend, confinement: Confinement, publish: Publish) -> None:
        self._journal = journal
        self._backend = backend
        self._confinement = confinement
        self._reporter = Reporter(publish)
        self._followers: dict[str, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._followers)

    def working_dirs(self) -> list[Path]:
        """Job folders of all batches that are not reported as finished."""
        return [entry.batch_directory.path.parents[1] for entry in self._journal.entries()]

    def attach_all(self) -> None:
        """Take up what an earlier agent left; engines ignore what they know already."""
        for entry in self._journal.entries():
            self._follow(entry)

    async def run(self, command: BatchRun) -> None:
        """Make sure that the batch runs, once. When this returns, that no longer depends on the command."""
        working_dir = self._confinement.check(command.working_dir)
        folder = self._confinement.check(command.folder)
        directory = BatchDirectory(working_dir / ".fractal" / command.batch)
        if not directory.exists:
            try:
                await asyncio.to_thread(self._prepare, command, working_dir, folder, directory)
            except FolderError as error:
                await self._reporter.say(
                    BatchFinished(batch=command.batch, cause="FOLDER_ERROR", error=str(error), results=0),
                    f"folder-{time.time():.3f}",
                )
                return
        entry = Entry(command.batch, command.job_id, str(directory.path), len(command.units))
        self._journal.add(entry)
        follower = self._followers.pop(command.batch, None)
        if follower is not None:
            # Asked again: whoever asks lacks something, so tell everything from the beginning.
            follower.cancel()
        self._follow(entry)

    async def cancel(self, command: BatchCancel) -> None:
        working_dir = self._confinement.check(command.working_dir)
        directory = BatchDirectory(working_dir / ".fractal" / command.batch)
        if directory.path.is_dir():
            directory.request_stop()

    async def close(self) -> None:
        for follower in self._followers.values():
            follower.cancel()
        await asyncio.gather(*self._followers.values(), return_exceptions=True)

    def _prepare(self, command: BatchRun, working_dir: Path, folder: Path, directory: BatchDirectory) -> None:
        ensure_job_folder(working_dir, command.job_id, new=command.new_working_dir)
        write_log(working_dir, command.workflow_log)
        directory.create(
            {
                "version": 1,
                "batch": command.batch,
                "command": command.command,
                "folder": str(folder),
                "cwd": None,
                "env": command.environment,
                "processes": command.processes or default_processes(),
                "common": command.common,
                "units": [unit.model_dump() for unit in command.units],
            }
        )

    def _follow(self, entry: Entry) -> None:
        task = asyncio.create_task(self._report(entry), name=f"follow-{entry.batch}")
        self._followers[entry.batch] = task

        def forget(done: asyncio.Task[None]) -> None:
            if self._followers.get(entry.batch) is done:
                del self._followers[entry.batch]
            if not done.cancelled() and done.exception() is not None:
                log.error("batch.follow_failed", batch=entry.batch, error=repr(done.exception()))

        task.add_done_callback(forget)

    async def _report(self, entry: Entry) -> None:
        """Start the worker if need be, publish its results as they come, then the end, then forget the batch."""
        directory = entry.batch_directory
        starts = 1
        await self._reporter.say(BatchSubmitted(batch=entry.batch, handle=self._backend.ensure(directory)), "submitted")
        offset = reported = 0
        next_report = 0.0
        next_sign = time.monotonic() + SIGN_OF_LIFE_INTERVAL_S
        while True:
            end = directory.end()
            alive = end is not None or directory.is_worker_alive() or self._backend.is_starting(directory)
            if end is not None or not alive or time.monotonic() >= next_report:
                outcomes, offset = directory.read_results(offset)
                if outcomes:
                    await self._reporter.say_outcomes(entry.batch, outcomes, reported)
                    reported += len(outcomes)
                    next_report = time.monotonic() + REPORT_INTERVAL_S
                    continue
            if end is not None:
                cause = "STOPPED" if end["status"] == "stopped" else "COMPLETED"
                break
            if not alive and starts >= MAX_WORKER_STARTS:
                cause = "LOST"
                break
            if not alive:
                log.warning("worker.restart", batch=entry.batch, starts=starts)
                self._backend.ensure(directory)
                starts += 1
            if time.monotonic() >= next_sign:
                await self._reporter.say(
                    BatchRunning(batch=entry.batch, results=reported), f"running-{time.time():.3f}"
                )
                next_sign = time.monotonic() + SIGN_OF_LIFE_INTERVAL_S
            await self._backend.wait(directory, REPORT_INTERVAL_S)
        error = f"The worker of batch {entry.batch} ended {starts} times." if cause == "LOST" else None
        await self._reporter.say(
            BatchFinished(batch=entry.batch, cause=cause, error=error, results=reported), f"finished-{time.time():.3f}"
        )
        self._journal.remove(entry.batch)
