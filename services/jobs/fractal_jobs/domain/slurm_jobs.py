"""A wave of processes as SLURM jobs: what each of them asks for."""

import posixpath
from collections.abc import Mapping
from typing import Any

from fractal_common.messages import SlurmJob
from pydantic import BaseModel, ConfigDict

from fractal_jobs.domain import slurm_config
from fractal_jobs.domain.slurm_batching import BatchingConfig, batch
from fractal_jobs.domain.slurm_config import SlurmConfig

# After the options that depend on the size of the job.
SIZED_OPTIONS = ("partition", "ntasks", "cpus-per-task", "mem", "mem-per-cpu")
SHARED_OPTIONS = ("job_name", "constraint", "gres", "gpus", "time", "account", "exclude", "nodelist", "nodes")


class SlurmWave(BaseModel):
    """What all SLURM jobs of a wave have in common, and how many processes each of them takes."""

    model_config = ConfigDict(frozen=True)

    config: SlurmConfig
    exports: dict[str, str]
    python: str | None
    units_per_job: int
    processes: int
    """How many of them run at a time."""

    def job(self, units: int) -> SlurmJob:
        """The SLURM job of so many processes; its options in the order of the script."""
        config = self.config
        tasks = min(units, self.processes)
        memory = (
            {"mem-per-cpu": f"{config.mem // config.cpus_per_task}M"}
            if config.use_mem_per_cpu
            else {"mem": f"{tasks * config.mem}M"}
        )
        shared = {name: getattr(config, name) for name in SHARED_OPTIONS}
        return SlurmJob(
            options={
                "partition": config.partition,
                "ntasks": str(tasks),
                "cpus-per-task": str(config.cpus_per_task),
                **memory,
                **{name.replace("_", "-"): str(value) for name, value in shared.items() if value is not None},
            },
            extra_lines=config.extra_lines,
            exports=self.exports,
            shebang_line=config.shebang_line,
            python=self.python,
            cpus_per_unit=config.cpus_per_task,
            memory_per_unit_mb=config.mem,
        )


def plan_slurm(
    runner_config: Mapping[str, Any],
    meta: Mapping[str, Any],
    *,
    count: int,
    single: bool,
    task_name: str,
    account: str | None,
    worker_init: str | None,
    cache_dir: str | None,
    python: str | None,
) -> SlurmWave:
    """`single`: the one process of a non-parallel task or init part. `cache_dir`: the user's, for local exports.

    Raises:
        PlanError: the configuration of resource and workflow task has no valid request in it.
    """
    config = slurm_config.resolve(runner_config, meta, task_name=task_name, account=account, worker_init=worker_init)
    batching = batch(
        count,
        cpus=config.cpus_per_task,
        mem_mb=config.mem,
        limits=BatchingConfig.model_validate(runner_config["batching_config"]),
        tasks_per_job=_wish(meta, "tasks_per_job"),
        parallel_tasks_per_job=_wish(meta, "parallel_tasks_per_job"),
    )
    # One GPU makes its processes wait for one another anyway.
    if single or slurm_config.needs_gpu(meta):
        batching = batching.one_at_a_time()
    exports: dict[str, str] = runner_config.get("user_local_exports") or {}
    return SlurmWave(
        config=config,
        exports={name: posixpath.join(cache_dir or "", value) for name, value in exports.items()},
        python=python,
        units_per_job=batching.tasks_per_job,
        processes=batching.parallel_tasks_per_job,
    )


def in_script_order(job: SlurmJob) -> SlurmJob:
    """The same, its options in the order of the script: a JSON column of the database does not keep it."""
    order = [*SIZED_OPTIONS, *(name.replace("_", "-") for name in SHARED_OPTIONS)]
    return job.model_copy(update={"options": {name: job.options[name] for name in order if name in job.options}})


def _wish(meta: Mapping[str, Any], name: str) -> int | None:
    """What the workflow task asks for; null and 0 mean nothing."""
    return slurm_config.positive_integer(meta, name) if meta.get(name) not in (None, 0) else None
