"""Why processes failed, in few words."""

import re
import signal as signals
from collections.abc import Sequence
from dataclasses import dataclass

from fractal_common.messages import SchedulerEvidence
from fractal_common.scheduler import words

TRACEBACK = "Traceback (most recent call last):"
EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(:|\s*$)")
MAX_EXCEPTION_CHARACTERS = 300
MAX_CAUSES_SHOWN = 5

WORDS = {
    "out_of_memory": "out of memory",
    "timeout": "timed out",
    "lost": "lost",
    "stopped": "stopped",
    "invalid_output": "invalid output",
    "output_too_large": "output too large",
    "invalid_command": "invalid command",
    "node_fail": "node failed",
    "boot_fail": "node could not be started",
    "deadline": "not over before its deadline",
}


@dataclass(frozen=True)
class Failures:
    """Processes that failed alike, with the most memory (KiB) and time (s) that one of them took."""

    count: int
    cause: str | None
    exit_code: int | None
    signal: int | None
    exception: str | None
    max_rss_kb: int | None
    wall_s: float | None
    scheduler: SchedulerEvidence | None = None
    """If it was the scheduler that ended them: what it says of their jobs, with the largest amounts of memory."""

    @property
    def words(self) -> str:
        text = _cause(self.cause, self.exit_code, self.signal)
        details = [self.exception] if self.exception else []
        if self.max_rss_kb is not None:
            details.append(f"peak memory {self.max_rss_kb / 1024:.0f} MB")
        if self.wall_s is not None:
            details.append(f"{self.wall_s:.1f} s")
        if self.scheduler is not None:
            details.append(f"SLURM says: {words(self.scheduler)}")
        return f"{text} ({'; '.join(details)})" if details else text


def _cause(cause: str | None, exit_code: int | None, number: int | None) -> str:
    if cause == "signal" and number is not None:
        known = {entry.value: entry.name for entry in signals.Signals}
        return f"killed by {known.get(number, f'signal {number}')}"
    if cause in (None, "exit_code"):
        return f"exit code {exit_code}"
    return WORDS.get(cause, cause.replace("_", " "))


def exception_line(log: str) -> str | None:
    """Exception and message of the last Python traceback in a log; None if there is none."""
    _, found, rest = log.rpartition(TRACEBACK)
    if not found:
        return None
    # Frames are indented; notes and further tracebacks come after the exception's own line.
    line = next((line for line in rest.splitlines() if line and not line[0].isspace()), None)
    return line[:MAX_EXCEPTION_CHARACTERS] if line and EXCEPTION.match(line) else None


def summary(failures: Sequence[Failures], total: int) -> str:
    """One line: how many of the processes failed, and why, the most frequent cause first."""
    ordered = sorted(failures, key=lambda one: -one.count)
    shown = [one.words if len(ordered) == 1 else f"{one.count} × {one.words}" for one in ordered[:MAX_CAUSES_SHOWN]]
    if len(ordered) > MAX_CAUSES_SHOWN:
        shown.append(f"{sum(one.count for one in ordered[MAX_CAUSES_SHOWN:])} × other causes")
    failed = sum(one.count for one in failures)
    return f"{failed} of {total} processes failed: {', '.join(shown)}"
