"""What is known of a SLURM job that is over, as the history and the job show it."""

from fractal_common.messages import SchedulerEvidence
from fractal_common.scheduler import without_noise, words


def slurm_job_id(handle: str) -> int | None:
    """`12` of `12`, `12_4` (an element of an array) and `12;cluster`; None if it is no SLURM job."""
    digits = handle.partition(";")[0].partition("_")[0]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def without_result(cause: str, evidence: SchedulerEvidence | None) -> str:
    """The error of a unit whose batch ended before it, where the agent has no better one."""
    text = f"The batch ended ({cause}) without a result of this unit."
    return f"{text}\nSLURM says of job {evidence.job_id}: {words(evidence)}." if evidence else text


def executor_errors(stderr: str) -> str | None:
    """Standard error of a SLURM job without what says nothing; None if nothing is left."""
    return "\n\n".join(without_noise(stderr)).strip() or None
