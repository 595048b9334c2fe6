"""How many SLURM jobs a wave of processes becomes, and how many processes run at a time in each."""

from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict

from fractal_jobs.domain.errors import PlanError


class BatchingConfig(BaseModel):
    """An operator's limits; memory in MB. Targets are what one would like, maxima are never exceeded."""

    model_config = ConfigDict(frozen=True)

    target_num_jobs: int
    max_num_jobs: int
    target_cpus_per_job: int
    max_cpus_per_job: int
    target_mem_per_job: int
    max_mem_per_job: int


@dataclass(frozen=True)
class Batching:
    """Each SLURM job takes up to `tasks_per_job` processes and runs `parallel_tasks_per_job` of them at a time."""

    tasks_per_job: int
    parallel_tasks_per_job: int

    def jobs(self, count: int) -> int:
        """How many SLURM jobs so many processes become."""
        return -(-count // self.tasks_per_job)

    def one_at_a_time(self) -> Self:
        """In the same jobs, one process after the other."""
        return type(self)(self.tasks_per_job, 1)


def batch(
    count: int,
    *,
    cpus: int,
    mem_mb: int,
    limits: BatchingConfig,
    tasks_per_job: int | None = None,
    parallel_tasks_per_job: int | None = None,
) -> Batching:
    """Spread `count` processes of `cpus` and `mem_mb` each over SLURM jobs.

    What the workflow task asks for, if it does; else as many at a time as the targets allow; if that makes too many
    jobs, as the maxima allow; and if it still does, as many jobs as are allowed, with processes that wait inside them.

    Raises:
        PlanError: the request is above a maximum, or sets only one of the two numbers.
    """
    if bool(tasks_per_job) != bool(parallel_tasks_per_job):
        raise PlanError("tasks_per_job and parallel_tasks_per_job must be both set or both unset")
    _limit("cpus_per_task", cpus, "max_cpus_per_job", limits.max_cpus_per_job)
    _limit("mem_per_task", mem_mb, "max_mem_per_job", limits.max_mem_per_job)
    if tasks_per_job and parallel_tasks_per_job:
        asked = Batching(tasks_per_job, min(parallel_tasks_per_job, tasks_per_job))
        _limit("cpus_per_job", asked.parallel_tasks_per_job * cpus, "max_cpus_per_job", limits.max_cpus_per_job)
        _limit("mem_per_job", asked.parallel_tasks_per_job * mem_mb, "max_mem_per_job", limits.max_mem_per_job)
        _limit("num_jobs", asked.jobs(count), "max_num_jobs", limits.max_num_jobs)
        return asked
    at_target = _fit(cpus, mem_mb, limits.target_cpus_per_job, limits.target_mem_per_job)
    if at_target.jobs(count) <= limits.target_num_jobs:
        return at_target
    at_most = _fit(cpus, mem_mb, limits.max_cpus_per_job, limits.max_mem_per_job)
    if at_most.jobs(count) <= limits.max_num_jobs:
        return at_most
    return Batching(-(-count // limits.max_num_jobs), at_most.parallel_tasks_per_job)


def _fit(cpus: int, mem_mb: int, max_cpus: int, max_mem_mb: int) -> Batching:
    """As many processes as fit side by side, at least one."""
    number = max(1, min(max_cpus // cpus, max_mem_mb // mem_mb))
    return Batching(number, number)


def _limit(what: str, requested: int, limit: str, allowed: int) -> None:
    if requested > allowed:
        raise PlanError(f"[heuristics] Requested {what}={requested} but {limit}={allowed}.")
