"""Every message on the bus: frozen models with a literal type and version, JSON only.

Subjects (`<r>` is a resource id):

    fractal.cmd.<r>.batch.run|cancel|archive          engine → agent   stream FRACTAL_CMD
    fractal.cmd.<r>.environment.<action>              engine → agent   stream FRACTAL_CMD
    fractal.evt.<r>.batch.submitted|running|finished  agent → engine   stream FRACTAL_EVT
    fractal.evt.<r>.batches.alive                     agent → engine   stream FRACTAL_EVT
    fractal.evt.<r>.units.finished                    agent → engine   stream FRACTAL_EVT
    fractal.evt.<r>.environment.progress|finished     agent → engine   stream FRACTAL_EVT
    fractal.evt.<r>.command.refused                   agent → engine   stream FRACTAL_EVT
    fractal.rpc.<r>.<verb>                            api → agent      request/reply
    fractal.agent.<r>.heartbeat                       agent → engine   core
    fractal.identity.user.changed                     auth → api       core

A command says "make it so and tell me what you know": an agent that gets the same `batch.run` twice starts nothing
twice, and reports the batch's whole state again. That makes publishing again always safe.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

MAX_MESSAGE_BYTES = 256 * 1024
"""Larger payloads travel through the object store (see `bus`)."""


class Message(BaseModel):
    """Base of everything sent: an id for de-duplication and tracing, and the time of making."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(default_factory=lambda: uuid4().hex)
    time: datetime = Field(default_factory=lambda: datetime.now(UTC))


class UnitSpec(BaseModel):
    """One process execution. Its arguments are `{**before, **common, **after}`, `common` being the batch's."""

    model_config = ConfigDict(frozen=True)

    index: int
    name: str
    """File name prefix: `non_par-` or `par-000000-0000003`; the log is `{folder}/{name}-log.txt`."""
    before: dict[str, Any]
    after: dict[str, Any]


class SlurmJob(BaseModel):
    """What SLURM is asked for, for one allocation; resolved by the engine from resource, task, user and job."""

    model_config = ConfigDict(frozen=True)

    options: dict[str, str]
    """Long options of sbatch without dashes, in the order of the script: `partition`, `ntasks`, `cpus-per-task`, …"""
    extra_lines: list[str] = []
    """Of the operator and of the user (`worker_init`), verbatim: `#SBATCH` lines, and shell run before the units."""
    exports: dict[str, str] = {}
    shebang_line: str = "#!/bin/sh"
    python: str | None = None
    """Interpreter that runs the worker on the nodes (`jobs_slurm_python_worker`); null: the agent's own."""
    cpus_per_unit: int = 1
    memory_per_unit_mb: int | None = None


class BatchRun(Message):
    """Ensure that this batch runs (exactly once) and report what is known of it."""

    type: Literal["batch.run.v1"] = "batch.run.v1"
    batch: str
    job_id: int
    working_dir: str
    """Job folder; the first batch of a job makes it and fails with `folder_error` if it exists already."""
    new_working_dir: bool
    working_dir_user: str
    folder: str
    """Task subfolder, absolute, below `working_dir`; log files go here."""
    command: list[str]
    environment: dict[str, str]
    processes: int
    """How many units run at a time; 0: the agent decides."""
    common: dict[str, Any]
    units: list[UnitSpec]
    workflow_log: str
    """Text of `workflow.log` up to now."""
    username: str | None
    """Unix user as whom to run; null: the agent's own."""
    slurm: SlurmJob | None = None
    """Null: to be run as local processes."""
    wave: str = ""
    """Name that all batches of one part of a task share: those that ask for the same go to SLURM as one job array."""
    wave_batches: int = 1
    """How many batches the wave has."""
    wave_index: int = 0
    """This one's place among them."""
    results_known: int = 0
    """How many unit results the sender has recorded already."""


class BatchCancel(Message):
    """Stop a batch; idempotent. Units that finished in time keep their results."""

    type: Literal["batch.cancel.v1"] = "batch.cancel.v1"
    batch: str
    job_id: int
    working_dir: str


class JobArchive(Message):
    """The job is final: write the last `workflow.log`, then the zip beside the job folder."""

    type: Literal["batch.archive.v1"] = "batch.archive.v1"
    job_id: int
    working_dir: str
    workflow_log: str


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


class BatchesAlive(Message):
    """A sign of life of many batches at once: the agent has them, waiting or running, and they go on."""

    type: Literal["batches.alive.v1"] = "batches.alive.v1"
    results: dict[str, int]
    """For each batch how many of its unit results the agent has published."""


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


class EnvironmentAction(StrEnum):
    COLLECT = "collect"
    DEACTIVATE = "deactivate"
    REACTIVATE = "reactivate"
    DELETE = "delete"
    RESET = "reset"
    """Make the environment of a group again, as `collect` would, without touching its tasks."""


class PixiSettings(BaseModel):
    """How pixi makes an environment."""

    model_config = ConfigDict(frozen=True)

    home: str
    """Folder of the version; the binary is `{home}/bin/pixi`."""
    cache_dir: str
    concurrent_solves: int
    concurrent_downloads: int
    worker_threads: int
    environment: str
    """The one environment that is kept."""
    platform: str
    """The one platform that is kept."""
    frozen: bool
    """Install what the lock file says, without solving."""


class EnvironmentCommand(Message):
    """Ensure that this action on a task group's directory has been carried out, and report its outcome."""

    type: Literal["environment.command.v1"] = "environment.command.v1"
    action: EnvironmentAction
    activity_id: int
    task_group_id: int
    origin: Literal["pypi", "wheel-file", "pixi", "other"]
    pkg_name: str
    version: str
    path: str
    venv_path: str | None = None
    python: str | None = None
    """Interpreter from which the virtual environment is made (absolute path)."""
    pip_cache_dir: str | None = None
    extras: str | None = None
    pins_before: dict[str, str] = {}
    pins_after: dict[str, str] = {}
    archive_name: str | None = None
    archive_base64: str | None = None
    archive_path: str | None = None
    env_info: str | None = None
    pixi: PixiSettings | None = None
    """Of groups of origin `pixi`, as long as their resource has their version of it."""


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


Command = Annotated[BatchRun | BatchCancel | JobArchive | EnvironmentCommand, Field(discriminator="type")]
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


class FileRead(Message):
    """`files.read`: part of a file below the resource's directories. Reply: `FileChunk` or `RpcError`."""

    type: Literal["files.read.v1"] = "files.read.v1"
    path: str
    archive: str | None = None
    """Zip in which to look for `member` when `path` does not exist."""
    member: str | None = None
    username: str | None = None
    """Unix user whose file `path` is. Null: a name below the jobs directory; the agent knows whose file that is."""
    offset: int = 0
    length: int = 128 * 1024


class FileChunk(Message):
    type: Literal["files.chunk.v1"] = "files.chunk.v1"
    exists: bool
    size: int = 0
    data_base64: str = ""


class FolderArchive(Message):
    """`files.archive`: the zip of a job folder, made if need be. Reply: `ArchiveReady`; read it with `files.read`."""

    type: Literal["files.archive.v1"] = "files.archive.v1"
    working_dir: str


class ArchiveReady(Message):
    type: Literal["files.archive-ready.v1"] = "files.archive-ready.v1"
    path: str
    size: int


class PathCheck(Message):
    """`check`: facts about paths on the cluster, and where an interpreter finds a package."""

    type: Literal["check.v1"] = "check.v1"
    paths: list[str] = []
    package_interpreter: str | None = None
    package_name: str | None = None


class PathFacts(Message):
    type: Literal["check-result.v1"] = "check-result.v1"
    existing: list[str] = []
    files: list[str] = []
    directories: list[str] = []
    executable: list[str] = []
    package_root: str | None = None
    package_stdout: str = ""
    package_stderr: str = ""


class QueueRead(Message):
    """`queue`: the agent's last look at the scheduler's queue. Reply: `QueueSnapshot` or `RpcError`."""

    type: Literal["queue.read.v1"] = "queue.read.v1"
    username: str | None = None
    """Only jobs of this Unix user."""
    accounts: list[str] | None = None
    """Only jobs on these accounts."""
    offset: int = 0
    limit: int = 2000


class QueueSnapshot(Message):
    """Lines as squeue prints them; the first of the whole snapshot is its header."""

    type: Literal["queue.snapshot.v1"] = "queue.snapshot.v1"
    taken_at: datetime
    header: str
    lines: list[str]
    total: int
    """Lines that match, of which `lines` is a part."""


USER_CHANGED = "fractal.identity.user.changed"


class UserChanged(Message):
    """Accounts that are not what they were: whoever has them in memory reads them again."""

    type: Literal["user.changed.v1"] = "user.changed.v1"
    user_ids: list[int]


class RpcError(Message):
    type: Literal["rpc.error.v1"] = "rpc.error.v1"
    error: str


def command_subject(resource_id: int, verb: str) -> str:
    """`verb` is e.g. `batch.run` or `environment.collect`."""
    return f"fractal.cmd.{resource_id}.{verb}"


def event_subject(resource_id: int, event: Message) -> str:
    kind: str = getattr(event, "type")  # noqa: B009 - every subclass has it
    return f"fractal.evt.{resource_id}.{kind.rsplit('.', 1)[0]}"


def rpc_subject(resource_id: int, verb: str) -> str:
    """`verb` is `files.read`, `files.archive`, `queue` or `check`."""
    return f"fractal.rpc.{resource_id}.{verb}"
