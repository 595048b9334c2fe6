"""Whether a job is over, and why. No answer is no evidence."""

import time
from typing import Any

from fractal_common.messages import SchedulerEvidence

from fractal_agent.backends.slurm import evidence
from fractal_agent.backends.slurm.records import End
from fractal_agent.backends.slurm.settings import SlurmSettings
from fractal_agent.backends.slurm.submitting import SHUTDOWN
from fractal_agent.backends.slurm.tracking import Tracked

ACCOUNT_WAIT_S = 15.0
"""How late accounting is, at most, before the queue's own words are enough."""


def by_marker(tracked: Tracked, end: dict[str, Any]) -> End:
    """The worker has ended in order."""
    said = None
    if tracked.account is not None:
        said = evidence.from_accounts(tracked.account)
    elif tracked.entry is not None and tracked.handle is not None:
        said = evidence.from_queue(tracked.entry, tracked.handle)
    elif tracked.handle is not None:
        # Over before anybody looked at the queue: the worker's figures are all there is.
        said = SchedulerEvidence(job_id=tracked.handle, state="COMPLETED")
    if said is not None:
        started = float((tracked.worker or {}).get("started") or 0)
        elapsed = {"elapsed_s": round(end["time"] - started)} if started else {}
        said = evidence.with_worker(said, {**end, **elapsed}, tracked.cpu_s)
        said = said.model_copy(update={"restarts": tracked.restarts})
    cause = "STOPPED" if end["status"] == "stopped" else "COMPLETED"
    return End(cause, SHUTDOWN if cause == "STOPPED" else None, said.model_dump() if said else None)


def wants_account(tracked: Tracked, settings: SlurmSettings) -> bool:
    """Whether it is time to ask accounting about it: over, and its end marker is due, or will not come."""
    return tracked.over_since is not None and (
        tracked.interrupted or time.monotonic() - tracked.over_since >= settings.FRACTAL_AGENT_SLURM_GRACE_S
    )


def by_scheduler(tracked: Tracked, settings: SlurmSettings) -> End | None:
    """A job that is over without an end marker; None as long as that is not certain."""
    if tracked.over_since is None or tracked.handle is None:
        return None
    entry, stopping = tracked.entry, tracked.wave.is_stopping(tracked.batch)
    vanished = tracked.vanished
    if stopping and tracked.worker is None and (vanished or (entry and entry.state == "CANCELLED")) and entry:
        # It never started, and we know why: there is nothing to wait for.
        return End("STOPPED", SHUTDOWN, evidence.from_queue(entry, tracked.handle).model_dump())
    if tracked.account_asked == 0:
        return None
    waited = time.monotonic() - tracked.over_since - settings.FRACTAL_AGENT_SLURM_GRACE_S
    if tracked.account is not None and evidence.is_over(tracked.account):
        said = evidence.from_accounts(tracked.account)
    elif tracked.entry is not None and tracked.entry.is_over and (tracked.account_disabled or waited > ACCOUNT_WAIT_S):
        said = evidence.from_queue(tracked.entry, tracked.handle)
    elif vanished and entry is not None and waited > ACCOUNT_WAIT_S:
        said = evidence.from_queue(entry, tracked.handle).model_copy(update={"state": "CANCELLED", "reason": None})
    elif waited > (ACCOUNT_WAIT_S if tracked.account_disabled else settings.FRACTAL_AGENT_SLURM_LOST_S):
        text = f"SLURM no longer knows job {tracked.handle}, which left no end marker and no entry in accounting."
        return End("LOST", text)
    else:
        return None
    said = said.model_copy(update={"restarts": tracked.restarts})
    if stopping and said.state.startswith("CANCELLED"):
        return End("STOPPED", SHUTDOWN, said.model_dump())
    state = said.state.partition(" ")[0]
    cause = "NO_RESULT" if state == "COMPLETED" else state
    text = evidence.explain(said)
    if tracked.trouble:
        text += f"\nIts results cannot be read: {tracked.trouble}"
    return End(cause, text, said.model_dump())
