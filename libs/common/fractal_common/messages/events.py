"""What agents tell the engine, and services each other."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fractal_common.messages.base import Message
from fractal_common.messages.requests import BatchesAlive


class BatchSubmitted(Message):
    """The scheduler (or operating system) has the batch."""

    type: Literal["batch.submitted.v1"] = "batch.submitted.v1"
    batch: str
    handle: str


class BatchRunning(Message):
    """The batch has left the scheduler's queue; repeated every few seconds while it runs, as a sign of life."""

    type: Literal["batch.running.v1"] = "batch.running.v1"
    batch: str
    results: int = 0
    """How many unit results the agent has published for it: a receiver that has fewer asks again."""


class UnitOutcome(BaseModel):
    """What one process did, as the worker recorded it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    index: int
    status: Literal["done", "failed"]
    output: Any = None
    error: str | None = None
    cause: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    has_warnings: bool = False
    wall_s: float | None = None
    max_rss_kb: int | None = None


class UnitsFinished(Message):
    """A group of finished units of one batch."""

    type: Literal["units.finished.v1"] = "units.finished.v1"
    batch: str
    outcomes: list[UnitOutcome]


class SchedulerEvidence(BaseModel):
    """What the scheduler says of a job that is over, in its own words and units that are named."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    job_id: str
    """`123`, or `123_4` for an element of an array."""
    state: str
    """`COMPLETED`, `OUT_OF_MEMORY`, `TIMEOUT`, `NODE_FAIL`, `CANCELLED by 1001`, …"""
    exit_code: str | None = None
    """`0:9`: exit status and signal."""
    reason: str | None = None
    nodes: str | None = None
    restarts: int = 0
    requested_memory_mb: int | None = None
    peak_memory_kb: int | None = None
    time_limit_s: int | None = None
    elapsed_s: int | None = None
    cpu_s: float | None = None


class BatchFinished(Message):
    """The batch is over, by positive evidence; every result it left was published before this."""

    type: Literal["batch.finished.v1"] = "batch.finished.v1"
    batch: str
    cause: str
    """`COMPLETED`, `STOPPED`, `FOLDER_ERROR`, `LOST`, or the scheduler's word (`OUT_OF_MEMORY`, `TIMEOUT`, …)."""
    error: str | None = None
    """Error of the units that left no result."""
    results: int
    """How many unit results were published for the batch in all."""
    evidence: SchedulerEvidence | None = None
    """May also be told later, by the same message once more."""
    stderr: str | None = None
    """What the SLURM job itself wrote as its standard error, not its units; the beginning, if it is long."""


class EnvironmentProgress(Message):
    """The activity's log up to now; `sequence` grows, an older one is ignored."""

    type: Literal["environment.progress.v1"] = "environment.progress.v1"
    activity_id: int
    sequence: int
    log: str


class EnvironmentFinished(Message):
    """The one terminal event of an activity."""

    type: Literal["environment.finished.v1"] = "environment.finished.v1"
    activity_id: int
    succeeded: bool
    log: str
    manifest: dict[str, Any] | None = None
    """Content of the package's manifest (collect only)."""
    package_root: str | None = None
    python: str | None = None
    """Interpreter of the new environment."""
    env_info: str | None = None
    archive_path: str | None = None


class CommandRefused(Message):
    """A command that the agent does not understand, or may not carry out: for an operator to look at."""

    type: Literal["command.refused.v1"] = "command.refused.v1"
    subject: str
    payload: str
    """Its beginning, if it is long."""
    error: str


class AgentHeartbeat(Message):
    """Says that an agent serves a resource."""

    type: Literal["agent.heartbeat.v1"] = "agent.heartbeat.v1"
    resource_id: int
    agent_id: str
    version: str
    batches: int


Event = Annotated[
    BatchSubmitted
    | BatchRunning
    | BatchesAlive
    | UnitsFinished
    | BatchFinished
    | EnvironmentProgress
    | EnvironmentFinished
    | CommandRefused,
    Field(discriminator="type"),
]


USER_CHANGED = "fractal.identity.user.changed"


class UserChanged(Message):
    """Accounts that are not what they were: whoever has them in memory reads them again."""

    type: Literal["user.changed.v1"] = "user.changed.v1"
    user_ids: list[int]


def event_subject(resource_id: int, event: Message) -> str:
    kind: str = getattr(event, "type")  # noqa: B009 - every subclass has it
    return f"fractal.evt.{resource_id}.{kind.rsplit('.', 1)[0]}"
