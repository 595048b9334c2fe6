"""Batches as SLURM jobs.

One worker in each allocation runs the units of one batch; up to a thousand allocations that ask for the same are one
job array, so one sbatch. What the scheduler is asked for is in the allocation script (`script`), what it says of all
jobs of all users comes from one squeue a tick (`queue`, `poller`), and what it says of jobs that are over without an
end marker from one sacct (`evidence`).

No failure of a command is taken for an answer. A job is over when its worker's end marker says so, or when the
scheduler does and the marker has had time to appear.
"""
