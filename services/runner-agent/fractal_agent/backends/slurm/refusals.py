"""What it means that sbatch failed. Unknown words of slurmctld are its answer; everything else may pass."""

from enum import StrEnum


class Meaning(StrEnum):
    """What to do next."""

    LIMIT = "limit"
    """No job was made: too many of the user are submitted. Fewer at once, or later."""
    ARRAY = "array"
    """No job was made: the array is larger than the site allows."""
    BUSY = "busy"
    """No job was made, for a reason that passes."""
    UNKNOWN = "unknown"
    """A job may have been made."""
    REFUSED = "refused"
    """No job was made, and none will be."""


LIMITS = ("MaxSubmit", "job submit limit")
ARRAYS = ("Invalid job array specification",)
PASSING = (
    *("Unable to contact slurm controller (connect failure)", "Connection refused", "Resource temporarily unavailable"),
    *("Slurm temporarily unable to accept job", "slurmdbd", "Munge", "munge", "Protocol authentication error"),
    *("in standby mode", "Unable to connect to database", "Slurm backup controller", "is initializing"),
)
UNCERTAIN = (
    *("timed out", "Zero Bytes were transmitted", "Transport endpoint", "Connection reset", "Broken pipe"),
    *("Unable to contact slurm controller", "Insane message length", "Unexpected message received"),
)


def meaning(status: int | None, stderr: str) -> Meaning:
    """Of sbatch's exit status (None: it did not end in time; negative: it was killed) and words."""
    if status is None or status < 0:
        return Meaning.UNKNOWN
    if any(word in stderr for word in LIMITS):
        # The one sentence stands for several limits; a particular one is named in a line of its own if it is another.
        named = [line for line in stderr.splitlines() if "Max" in line and "MaxSubmit" not in line]
        return Meaning.REFUSED if named else Meaning.LIMIT
    if any(word in stderr for word in ARRAYS):
        return Meaning.ARRAY
    if any(word in stderr for word in PASSING):
        return Meaning.BUSY
    if any(word in stderr for word in UNCERTAIN):
        return Meaning.UNKNOWN
    return Meaning.REFUSED


def job_id(stdout: str) -> str | None:
    """From `--parsable`: `123` or, in a federation, `123;cluster`; None if it is something else."""
    word = stdout.strip().partition(";")[0]
    return word if word.isdigit() else None
