"""The engine's states of a job, and the only ways between them.

    accepted ──begin──▶ ready ──start task──▶ running ──task closed──▶ ready … ──last task──▶ done
        │                 │                      └── task failed ──────────────────────────▶ failed
        └── cannot begin ─┴── cannot start ─────────────────────────────────────────────────▶ failed

On the wire all but the last two are `submitted`.
"""

from enum import StrEnum


class JobState(StrEnum):
    ACCEPTED = "accepted"
    """Submitted; nothing has been read or planned."""
    READY = "ready"
    """The task at `position` is to be started, or the job is over if there is none."""
    RUNNING = "running"
    """The task at `position` has batches out."""
    DONE = "done"
    FAILED = "failed"


class BatchState(StrEnum):
    """planned → submitted → running → ended; any but the last → abandoned → ended."""

    PLANNED = "planned"
    SUBMITTED = "submitted"
    RUNNING = "running"
    ABANDONED = "abandoned"
    """Its job was declared failed: it is being stopped, and its results do not count."""
    ENDED = "ended"


TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.ACCEPTED: frozenset({JobState.READY, JobState.FAILED}),
    JobState.READY: frozenset({JobState.RUNNING, JobState.DONE, JobState.FAILED}),
    JobState.RUNNING: frozenset({JobState.READY, JobState.FAILED}),
    JobState.DONE: frozenset(),
    JobState.FAILED: frozenset(),
}


def is_final(state: str) -> bool:
    return not TRANSITIONS[JobState(state)]


def move(current: str, target: JobState) -> JobState:
    """Raises ValueError on a way that the table does not have."""
    if target not in TRANSITIONS[JobState(current)]:
        raise ValueError(f"a job cannot go from {current} to {target}")
    return target
