"""The scheduler's own words about a SLURM job, for people."""

from fractal_common.messages import SchedulerEvidence

# Lines that SLURM writes in jobs that go well.
NOISE = (
    "step creation temporarily disabled, retrying",
    "step creation still disabled, retrying",
    "srun: step created for stepid=",
    "srun: step created for job",
    "srun: warning: can't run 1 processes on ",
)


def words(evidence: SchedulerEvidence) -> str:
    """`state OUT_OF_MEMORY, exit code 0:125, requested memory 400 MB, …`: what is known, in a fixed order."""
    megabytes = None if evidence.peak_memory_kb is None else round(evidence.peak_memory_kb / 1024)
    known = {
        "state": evidence.state,
        "exit code": evidence.exit_code,
        "reason": evidence.reason,
        "nodes": evidence.nodes,
        "requested memory": _amount(evidence.requested_memory_mb, "MB"),
        "peak memory": _amount(megabytes, "MB"),
        "time limit": _amount(evidence.time_limit_s, "s"),
        "elapsed": _amount(evidence.elapsed_s, "s"),
        "restarts": str(evidence.restarts) if evidence.restarts else None,
    }
    return ", ".join(f"{name} {value}" for name, value in known.items() if value is not None)


def without_noise(stderr: str) -> list[str]:
    """Lines of the standard error of a job, less those that say nothing."""
    return [line for line in stderr.splitlines() if not any(noise in line.lower() for noise in NOISE)]


def _amount(value: int | None, unit: str) -> str | None:
    return None if value is None else f"{value} {unit}"
