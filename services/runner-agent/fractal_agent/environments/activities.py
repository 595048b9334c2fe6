"""Activities of this agent: each is journalled before it starts, and told to be over once."""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from fractal_common.bus import BusError
from fractal_common.messages import (
    EnvironmentAction,
    EnvironmentCommand,
    EnvironmentFinished,
    EnvironmentProgress,
    Message,
)
from fractal_common.telemetry import get_logger

from fractal_agent.batchdir import write_json
from fractal_agent.environments.directory import Outcome
from fractal_agent.environments.pip import PipEnvironment
from fractal_agent.environments.pixi import PixiEnvironment
from fractal_agent.environments.steps import ActivityLog, StepError
from fractal_agent.reporting import PUBLISH_RETRY_S, Publish
from fractal_agent.settings import Confinement

log = get_logger(__name__)

KEEP_RESULTS_S = 30 * 24 * 3600.0
LOCK_RETRY_S = 0.1


class Activities:
    """A restart finds the journal and carries out again what was cut short; a finished one is only told again."""

    def __init__(self, state_dir: Path, tasks_dir: Path, confinement: Confinement, publish: Publish) -> None:
        self._folder = state_dir / "activities"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._tasks_dir = tasks_dir
        self._confinement = confinement
        self._publish = publish
        self._running: dict[int, asyncio.Task[None]] = {}

    def attach_all(self) -> None:
        self._forget_old_results()
        for file in self._folder.glob("*.command.json"):
            self._begin(EnvironmentCommand.model_validate_json(file.read_text()))

    def run(self, command: EnvironmentCommand) -> None:
        """Make sure that it is carried out. When this returns, that no longer depends on the command."""
        self._confinement.check(command.path)
        if command.activity_id in self._running:
            return
        self._forget_old_results()
        write_json(self._file(command.activity_id, "command"), command.model_dump(mode="json"))
        self._begin(command)

    def _forget_old_results(self) -> None:
        """A result answers a command that is delivered again; after this long none is."""
        oldest = time.time() - KEEP_RESULTS_S
        for file in self._folder.glob("*.result.json"):
            if file.stat().st_mtime < oldest:
                file.unlink(missing_ok=True)

    async def close(self) -> None:
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _begin(self, command: EnvironmentCommand) -> None:
        task = asyncio.create_task(self._carry_out(command), name=f"activity-{command.activity_id}")
        self._running[command.activity_id] = task

        def forget(done: asyncio.Task[None]) -> None:
            self._running.pop(command.activity_id, None)
            if not done.cancelled() and done.exception() is not None:
                log.error("activity.failed", activity_id=command.activity_id, error=repr(done.exception()))

        task.add_done_callback(forget)

    async def _carry_out(self, command: EnvironmentCommand) -> None:
        result = self._file(command.activity_id, "result")
        if result.exists():
            finished = EnvironmentFinished.model_validate_json(result.read_text())
        else:
            async with self._alone(command.task_group_id) as lock:
                finished = await self._act(command, lock)
            # On disk before it is told: an action is not carried out twice because its end was not heard.
            write_json(result, finished.model_dump(mode="json"))
        await self._say(finished, f"activity-{command.activity_id}-{time.time():.3f}")
        self._file(command.activity_id, "command").unlink(missing_ok=True)

    @asynccontextmanager
    async def _alone(self, task_group_id: int) -> AsyncGenerator[int]:
        """A lock that commands of an agent which died keep for as long as they go on in the group's directory."""
        lock = os.open(self._folder / f"{task_group_id}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await asyncio.sleep(LOCK_RETRY_S)
            yield lock
        finally:
            os.close(lock)

    async def _act(self, command: EnvironmentCommand, lock: int) -> EnvironmentFinished:
        async def report(text: str) -> None:
            # Microseconds: they grow across restarts of the agent.
            event = EnvironmentProgress(activity_id=command.activity_id, sequence=time.time_ns() // 1000, log=text)
            try:
                await self._publish(event, f"progress-{command.activity_id}-{event.sequence}")
            except BusError:
                return  # the next one tells more, and the end everything

        activity_log = ActivityLog(report)
        path = self._confinement.check(command.path)
        environment = (
            PixiEnvironment(command, path, activity_log, lock)
            if command.origin == "pixi"
            else PipEnvironment(command, path, self._tasks_dir, activity_log, lock)
        )
        actions = {
            EnvironmentAction.COLLECT: environment.collect,
            EnvironmentAction.DEACTIVATE: environment.deactivate,
            EnvironmentAction.REACTIVATE: environment.reactivate,
            EnvironmentAction.DELETE: environment.delete,
            EnvironmentAction.RESET: environment.reset,
        }
        await activity_log.write(f"Task {command.action} - start", checkpoint=True)
        outcome: Outcome | None = None
        try:
            outcome = await actions[command.action]()
        except (StepError, OSError, ValueError) as error:
            await activity_log.write(f"Task {command.action} failed. Original error: {error}")
        else:
            await activity_log.write(f"Task {command.action} - end")
        return EnvironmentFinished(
            activity_id=command.activity_id,
            succeeded=outcome is not None,
            log=activity_log.text,
            manifest=outcome.manifest if outcome else None,
            package_root=outcome.package_root if outcome else None,
            python=outcome.python if outcome else None,
            env_info=outcome.env_info if outcome else None,
            archive_path=outcome.archive_path if outcome else None,
        )

    async def _say(self, event: Message, key: str) -> None:
        while True:
            try:
                await self._publish(event, key)
            except BusError as error:
                log.warning("event.retry", error=str(error))
                await asyncio.sleep(PUBLISH_RETRY_S)
            else:
                return

    def _file(self, activity_id: int, kind: str) -> Path:
        return self._folder / f"{activity_id}.{kind}.json"
