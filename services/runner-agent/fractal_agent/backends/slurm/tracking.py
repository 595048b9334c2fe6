"""What is known of one batch that is not reported as finished."""

import time
from dataclasses import dataclass, field
from typing import Any

from fractal_agent.backends.slurm.poller import Activity
from fractal_agent.backends.slurm.queue import Entry, Snapshot
from fractal_agent.backends.slurm.records import Allocation, End, Submission, Wave

FINAL = ("CANCELLED", "DEADLINE", "TIMEOUT")
"""Ends of which workers are told before, and after which SLURM does not start the job again by itself."""
STARTING_S = 10.0
"""So long after its submission a job is looked after as if it ran: the queue may be behind."""


@dataclass
class Tracked:
    """A batch, its place in the queue, and how much of it was told."""

    wave: Wave
    allocation: Allocation
    submission: Submission | None = None
    submitted_s: float = 0.0
    """Monotonic; what squeue was asked before that says nothing of this job."""
    entry: Entry | None = None
    over_since: float | None = None
    """Since when the queue says, without a break, that the job is over or that there is none."""
    changed_s: float = field(default_factory=time.monotonic)
    end: End | None = None
    offset: int = 0
    reported: int = 0
    cpu_s: float = 0.0
    said_submitted: bool = False
    said_running: bool = False
    worker: dict[str, Any] | None = None
    account: dict[str, str] | None = None
    """Of the scheduler's accounting."""
    account_asked: int = 0
    account_disabled: bool = False
    trouble: str | None = None
    """Why the batch's files cannot be read just now."""

    @property
    def batch(self) -> str:
        return self.allocation.batch

    @property
    def user(self) -> str | None:
        return self.allocation.username

    @property
    def handle(self) -> str | None:
        """`123`, or `123_4` for an element of an array."""
        if self.submission is None or self.submission.job is None:
            return None
        place = self.submission.place(self.batch)
        return self.submission.job if place is None else f"{self.submission.job}_{place}"

    @property
    def activity(self) -> Activity:
        if self.handle is None or self.end is not None:
            return Activity.NONE
        now = time.monotonic()
        if self.entry is not None and self.entry.state == "PENDING" and now - self.submitted_s > STARTING_S:
            return Activity.PENDING
        return Activity.RUNNING

    def attach(self, submission: Submission | None) -> None:
        """It has a job now."""
        if submission is not None and submission.job is not None and self.submission is None:
            self.submission = submission
            self.submitted_s = self.changed_s = time.monotonic()

    def tell_again(self) -> None:
        """Whoever asks lacks something: everything from the beginning."""
        self.offset = self.reported = 0
        self.cpu_s = 0.0
        self.said_submitted = self.said_running = False

    def see(self, snapshot: Snapshot) -> None:
        """Take in the queue. Only an answer that is younger than the job counts."""
        if self.submission is None or self.submission.job is None or snapshot.started_s <= self.submitted_s:
            return
        entry = snapshot.find(self.submission.job, self.submission.place(self.batch))
        if (entry and entry.state) != (self.entry and self.entry.state):
            self.changed_s = time.monotonic()
        if entry is not None:
            self.entry = entry
        if entry is not None and not entry.is_over:
            self.over_since = None
        elif self.over_since is None:
            self.over_since = time.monotonic()

    @property
    def vanished(self) -> bool:
        """An element of an array that waited, and is not there any more.

        One that starts gets an entry of its own, which stays after its end; one that is cancelled before leaves none.
        """
        waited = self.entry is not None and self.entry.state == "PENDING"
        return waited and self.submission_is_array and self.over_since is not None and self.worker is None

    @property
    def interrupted(self) -> bool:
        """The scheduler has ended the job, and its worker said before that all its results are there."""
        is_final = self.entry is not None and self.entry.state in FINAL
        return is_final and self.worker is not None and self.worker.get("interrupted") is not None

    @property
    def raw_id(self) -> str | None:
        """The number in the names of the job's output files."""
        if self.worker is not None and self.worker.get("allocation"):
            return str(self.worker["allocation"]).partition("-")[0]
        if self.account is not None:
            return self.account["JobIDRaw"]
        if self.entry is not None and not (self.entry.state == "PENDING" and self.submission_is_array):
            return self.entry.raw_id
        return None

    @property
    def submission_is_array(self) -> bool:
        return self.submission is not None and "" not in self.submission.batches

    @property
    def error_file(self) -> str | None:
        """Where the job's standard error is."""
        if self.submission is None or self.raw_id is None:
            return None
        place = self.submission.place(self.batch)
        name = self.submission.output.replace("%j", self.raw_id)
        if place is not None:
            head, _, tail = name.partition("%")
            name = f"{head}{place:0{int(tail[0])}d}{tail[2:]}" if tail else name
        return f"{self.allocation.folder}/{name}.err"

    @property
    def restarts(self) -> int:
        word = str((self.worker or {}).get("allocation") or "").partition("-")[2]
        return int(word) if word.isdigit() else 0
