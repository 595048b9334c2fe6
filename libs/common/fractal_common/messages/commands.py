"""What the engine tells an agent to make so."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fractal_common.messages.base import Message
from fractal_common.messages.requests import PixiSettings


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


class EnvironmentAction(StrEnum):
    COLLECT = "collect"
    DEACTIVATE = "deactivate"
    REACTIVATE = "reactivate"
    DELETE = "delete"
    RESET = "reset"
    """Make the environment of a group again, as `collect` would, without touching its tasks."""


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


Command = Annotated[BatchRun | BatchCancel | JobArchive | EnvironmentCommand, Field(discriminator="type")]


def command_subject(resource_id: int, verb: str) -> str:
    """`verb` is e.g. `batch.run` or `environment.collect`."""
    return f"fractal.cmd.{resource_id}.{verb}"
