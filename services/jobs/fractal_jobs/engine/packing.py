"""How a wave goes to the job's resource: as processes of one machine, or as SLURM jobs."""

from fractal_common.types import ResourceType

from fractal_jobs.domain.planning import NON_PARALLEL, ONE_PROCESS, Packing, local_processes
from fractal_jobs.domain.slurm_jobs import plan_slurm
from fractal_jobs.engine.progress import Progress


async def pack(progress: Progress, part: str, count: int) -> Packing:
    """For so many processes of a part of the task in progress.

    Raises:
        PlanError: resource and workflow task do not make a valid request together.
    """
    task, job, resource = progress.task, progress.job, await progress.resource()
    single = part == NON_PARALLEL
    meta = task.meta_non_parallel if single else task.meta_parallel
    if resource is None or resource.type == ResourceType.LOCAL:
        config = resource.jobs_runner_config if resource else {}
        return ONE_PROCESS if single else Packing(processes=local_processes(meta, config))
    wave = plan_slurm(
        resource.jobs_runner_config,
        meta,
        count=count,
        single=single,
        task_name=task.name,
        account=job.slurm_account,
        worker_init=job.worker_init,
        cache_dir=progress.execution.cache_dir,
        python=resource.jobs_slurm_python_worker,
    )
    return Packing(processes=wave.processes, slurm=wave)
