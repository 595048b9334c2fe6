"""From a workflow task and its images to the processes to run."""

import shlex
from collections.abc import Sequence
from typing import Any

from fractal_common.types import TaskType
from pydantic import BaseModel, ConfigDict

from fractal_jobs.domain.errors import PlanError
from fractal_jobs.domain.outputs import ParallelizationItem
from fractal_jobs.domain.slurm_jobs import SlurmWave

MAX_ITEMS = 20_000

NON_PARALLEL = "non_par"
PARALLEL = "par"


class TaskSnapshot(BaseModel):
    """A workflow task as it was when its job started; the whole job uses this."""

    model_config = ConfigDict(frozen=True)

    workflowtask_id: int
    task_id: int
    order: int
    name: str
    type: TaskType
    command_non_parallel: str | None
    command_parallel: str | None
    args_non_parallel: dict[str, Any]
    args_parallel: dict[str, Any]
    meta_non_parallel: dict[str, Any]
    meta_parallel: dict[str, Any]
    input_types: dict[str, bool]
    output_types: dict[str, bool]
    type_filters: dict[str, bool]
    alias: str | None
    shown: dict[str, Any] = {}
    """Columns of the workflow task as its history shows them, nulls included."""


class PlannedUnit(BaseModel):
    """One process. Its arguments are `{**before, **common, **after}`, `common` being the wave's."""

    model_config = ConfigDict(frozen=True)

    index: int
    name: str
    """Prefix of its files: `non_par-`, or `par-000000-0000003` (batch and index)."""
    zarr_urls: list[str]
    before: dict[str, Any]
    after: dict[str, Any]


class Packing(BaseModel):
    """How the processes of a wave are put into batches."""

    model_config = ConfigDict(frozen=True)

    processes: int | None
    """How many of a batch run at a time; None: as many as the machine likes."""
    slurm: SlurmWave | None = None
    """None: local processes, all in one batch."""

    @property
    def units_per_batch(self) -> int | None:
        """None: no limit."""
        return self.slurm.units_per_job if self.slurm else None

    def file_batch(self, index: int) -> int:
        """The batch number in the names of a process' files; local ones count by how many run at a time."""
        size = self.units_per_batch or self.processes
        return index // size if size else 0


ONE_PROCESS = Packing(processes=1)


class Wave(BaseModel):
    """Processes of one part of a task, which may all run at the same time."""

    model_config = ConfigDict(frozen=True)

    part: str
    command: list[str]
    common: dict[str, Any]
    units: list[PlannedUnit]
    packing: Packing

    def batches(self) -> list[list[PlannedUnit]]:
        """The processes of each batch, in order."""
        size = self.packing.units_per_batch or len(self.units)
        return [self.units[start : start + size] for start in range(0, len(self.units), size)] if self.units else []


def plan_single(task: TaskSnapshot, zarr_dir: str, zarr_urls: Sequence[str], packing: Packing = ONE_PROCESS) -> Wave:
    """The one process of a non-parallel task, or the init part of a compound one.

    Raises:
        PlanError: a converter's arguments name `zarr_urls`, or there is no command.
    """
    if task.type.is_converter and "zarr_urls" in task.args_non_parallel:
        raise PlanError(f"Forbidden 'zarr_urls' key in {list(task.args_non_parallel)}")
    unit = PlannedUnit(
        index=0,
        name=f"{NON_PARALLEL}-",
        zarr_urls=list(zarr_urls),
        before={"zarr_dir": zarr_dir},
        after={} if task.type.is_converter else {"zarr_urls": list(zarr_urls)},
    )
    command = _command(task.command_non_parallel, task.name)
    return Wave(part=NON_PARALLEL, command=command, common=task.args_non_parallel, units=[unit], packing=packing)


def plan_parallel(task: TaskSnapshot, zarr_urls: Sequence[str], packing: Packing) -> Wave:
    """One process per image.

    Raises:
        PlanError: too many images, or one of them twice.
    """
    if len(set(zarr_urls)) < len(zarr_urls):
        raise PlanError("Non-unique zarr_urls")
    return _wave(task, [(url, {"zarr_url": url}) for url in zarr_urls], packing)


def plan_compute(task: TaskSnapshot, items: Sequence[ParallelizationItem], packing: Packing) -> Wave:
    """One process per (de-duplicated) item of the list that the init process returned.

    Raises:
        PlanError: too many items.
    """
    pairs = [(item.zarr_url, {"zarr_url": item.zarr_url, "init_args": item.init_args}) for item in items]
    return _wave(task, pairs, packing)


def check_size(count: int) -> None:
    """Raises PlanError above the limit of processes in one wave."""
    if count > MAX_ITEMS:
        raise PlanError(f"Too many parallelization items.\n   {count}\n   MAX_PARALLELIZATION_LIST_SIZE={MAX_ITEMS}\n")


def local_processes(meta: dict[str, Any], runner_config: dict[str, Any]) -> int | None:
    """`parallel_tasks_per_job` of the workflow task, else of the resource; null or 0 in the latter: no limit.

    Raises:
        PlanError: the workflow task asks for something else than a positive integer.
    """
    wanted = meta.get("parallel_tasks_per_job")
    if wanted is None:
        return runner_config.get("parallel_tasks_per_job") or None
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
        raise PlanError(f"Invalid parallel_tasks_per_job={wanted!r} in meta_parallel: a positive integer is accepted.")
    return wanted


def _wave(task: TaskSnapshot, arguments: Sequence[tuple[str, dict[str, Any]]], packing: Packing) -> Wave:
    check_size(len(arguments))
    units = [
        PlannedUnit(
            index=index,
            name=f"{PARALLEL}-{packing.file_batch(index):06d}-{index:07d}",
            zarr_urls=[url],
            before=before,
            after={},
        )
        for index, (url, before) in enumerate(arguments)
    ]
    command = _command(task.command_parallel, task.name)
    return Wave(part=PARALLEL, command=command, common=task.args_parallel, units=units, packing=packing)


def _command(command: str | None, task_name: str) -> list[str]:
    if not command:
        raise PlanError(f"Task '{task_name}' has no command for this part.")
    try:
        return shlex.split(command)
    except ValueError as error:
        raise PlanError(f"Invalid command. Original error: {error}") from None
