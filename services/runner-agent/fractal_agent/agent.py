"""The agent: commands in, events out."""

import asyncio
import fcntl
import os
import uuid
from pathlib import Path

from fractal_common import REFERENCE_VERSION
from fractal_common.bus import COMMANDS, Bus, BusError, Delivery
from fractal_common.messages import (
    AgentHeartbeat,
    BatchCancel,
    BatchRun,
    Command,
    CommandRefused,
    EnvironmentCommand,
    JobArchive,
    Message,
    event_subject,
)
from fractal_common.telemetry import get_logger
from pydantic import BaseModel, TypeAdapter, ValidationError

from fractal_agent.backends.local import LocalBackend
from fractal_agent.backends.slurm.batches import SlurmBatches
from fractal_agent.backends.slurm.script import exports_of
from fractal_agent.backends.slurm.settings import SlurmSettings
from fractal_agent.batches import Batches
from fractal_agent.environments.activities import Activities
from fractal_agent.files import FileService
from fractal_agent.identity.audit import AuditLog
from fractal_agent.identity.delegates import Delegates
from fractal_agent.journal import Journal
from fractal_agent.queue import answer_queue
from fractal_agent.retention import sweep
from fractal_agent.settings import AgentSettings, Confinement, user_policy
from fractal_agent.userfiles import UserFiles

log = get_logger(__name__)

HEARTBEAT_INTERVAL_S = 2.0
FETCH_TIMEOUT_S = 5.0
RETRY_DELAY_S = 1.0
SWEEP_INTERVAL_S = 3600.0
MAX_REFUSED_BYTES = 64 * 1024

_commands: TypeAdapter[Command] = TypeAdapter(Command)


class AgentInUseError(Exception):
    """Another agent uses the same state directory."""


class Agent:
    """Serves one resource. Everything it must remember is on disk before a command is acknowledged."""

    def __init__(
        self,
        bus: Bus,
        settings: AgentSettings,
        slurm_settings: SlurmSettings,
        *,
        jobs_dir: Path,
        tasks_dir: Path,
        state_dir: Path,
    ) -> None:
        self._bus = bus
        self._jobs_dir = jobs_dir
        self._resource_id = resource_id = settings.FRACTAL_AGENT_RESOURCE_ID
        keep_days = settings.FRACTAL_AGENT_JOB_FOLDERS_KEEP_DAYS
        self._keep_jobs_s = None if keep_days is None else keep_days * 24 * 3600
        self._id = uuid.uuid4().hex[:8]
        state_dir.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(state_dir)
        self._confinement = Confinement([jobs_dir, tasks_dir, state_dir / "downloads"])
        self._batches = Batches(Journal(state_dir), LocalBackend(), self._confinement, self._publish)
        self._activities = Activities(state_dir, tasks_dir, self._confinement, self._publish)
        audit = AuditLog(state_dir / "audit.jsonl")
        policy = user_policy(settings)
        self._delegates = Delegates(
            policy=policy,
            command=settings.FRACTAL_AGENT_DELEGATE,
            directories=settings.FRACTAL_AGENT_USER_DIRS.split(":"),
            jobs_dir=jobs_dir,
            environment=exports_of(os.environ),
            audit=audit,
        )
        self._slurm = SlurmBatches(
            resource_id=resource_id,
            state_dir=state_dir,
            settings=slurm_settings,
            policy=policy,
            delegates=self._delegates,
            audit=audit,
            confinement=self._confinement,
            publish=self._publish,
        )
        files = FileService(self._confinement, state_dir / "downloads")
        self._files = UserFiles(files, self._confinement, policy, self._delegates, state_dir / "downloads")

    async def run(self) -> None:
        """Until cancelled."""
        self._batches.attach_all()
        self._activities.attach_all()
        self._slurm.attach_all()
        await self._bus.serve(f"fractal.rpc.{self._resource_id}.>", self._answer)
        background = [asyncio.create_task(self._heartbeat()), asyncio.create_task(self._sweep())]
        consumer = self._bus.consumer(COMMANDS, f"agent-{self._resource_id}")
        try:
            while True:
                for delivery in await consumer.fetch(10, FETCH_TIMEOUT_S):
                    await self._handle(delivery)
        finally:
            for task in background:
                task.cancel()
            await self._batches.close()
            await self._activities.close()
            await self._slurm.close()
            await self._delegates.close()
            os.close(self._lock)

    async def _handle(self, delivery: Delivery) -> None:
        try:
            command = _commands.validate_json(delivery.data)
        except ValidationError as error:
            # Of a newer engine, or its payload is gone: the engine says it again if it still matters.
            await self._refuse(delivery, str(error.errors()[0]["msg"]))
            return
        try:
            await self._carry_out(command)
        except PermissionError as error:
            await self._refuse(delivery, str(error))
        except Exception as error:
            log.error("command.failed", subject=delivery.subject, error=repr(error))
            await delivery.retry(RETRY_DELAY_S)
        else:
            await delivery.ack()

    async def _refuse(self, delivery: Delivery, error: str) -> None:
        """Acknowledged once the engine is sure to hear of it: parked there, neither dropped nor looped."""
        log.error("command.refused", subject=delivery.subject, error=error)
        payload = delivery.data[:MAX_REFUSED_BYTES].decode("utf-8", "replace")
        refused = CommandRefused(subject=delivery.subject, payload=payload, error=error)
        try:
            await self._publish(refused, f"refused-{refused.id}")
        except BusError:
            await delivery.retry(RETRY_DELAY_S)
        else:
            await delivery.ack()

    async def _carry_out(self, command: Command) -> None:
        match command:
            case BatchRun() if command.slurm is not None:
                await self._slurm.run(command)
            case BatchRun():
                await self._batches.run(command)
            case BatchCancel():
                if not await self._slurm.cancel(command):
                    await self._batches.cancel(command)
            case JobArchive():
                await self._files.archive_job(command)
            case EnvironmentCommand():
                self._activities.run(command)

    async def _answer(self, subject: str, data: bytes) -> BaseModel:
        if subject.endswith(".queue"):
            return answer_queue(await self._slurm.queue(), data)
        return await self._files.answer(subject, data)

    async def _publish(self, event: Message, key: str) -> None:
        await self._bus.publish(event_subject(self._resource_id, event), event, message_id=f"{self._id}:{key}")

    async def _sweep(self) -> None:
        while self._keep_jobs_s is not None:
            try:
                busy = [*self._batches.working_dirs(), *self._slurm.working_dirs()]
                await asyncio.to_thread(sweep, self._jobs_dir, keep_s=self._keep_jobs_s, busy=busy)
            except OSError as error:
                log.warning("jobs.not_removed", error=str(error))
            await asyncio.sleep(SWEEP_INTERVAL_S)

    async def _heartbeat(self) -> None:
        while True:
            message = AgentHeartbeat(
                resource_id=self._resource_id,
                agent_id=self._id,
                version=REFERENCE_VERSION,
                batches=len(self._batches) + len(self._slurm),
            )
            await self._bus.send(f"fractal.agent.{self._resource_id}.heartbeat", message)
            await asyncio.sleep(HEARTBEAT_INTERVAL_S)


def _lock(state_dir: Path) -> int:
    descriptor = os.open(state_dir / "agent.lock", os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise AgentInUseError(f"another agent uses {state_dir}") from None
    return descriptor
