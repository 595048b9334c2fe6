"""What jobs took of the cluster. Times in seconds; memory is that of the SLURM job, or process, that took most."""

from pydantic import BaseModel


class Usage(BaseModel):
    slurm_jobs: int
    slurm_jobs_measured: int
    cpu_s: float | None
    elapsed_s: float | None
    peak_memory_kb: int | None
    requested_memory_mb: int | None
    processes: int
    processes_wall_s: float | None
    processes_max_rss_kb: int | None


class TaskUsage(Usage):
    run_id: int
    workflowtask_id: int | None
    task_name: str


class JobUsage(Usage):
    job_id: int
    tasks: list[TaskUsage]
