"""What must outlive every agent: on the resource's own file system, below the job's folder, readable for agents alone.

{working_dir}/.fractal/identity.json              whose files the job's are, and where
{working_dir}/.fractal/waves/{wave}/
    lock                                          held by the agent that submits
    batch-{batch}.json                            what is to be run
    submission-{token}.json                       one sbatch: written before it, and after
    end-{batch}.json                              how a batch ended, before it is told
    stop-{batch}                                  somebody wants it to end
"""

import fcntl
import json
import os
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fractal_common.messages import SchedulerEvidence, SlurmJob

from fractal_agent.batchdir import write_json

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")
IDENTITY = Path(".fractal", "identity.json")


@dataclass(frozen=True)
class Identity:
    """Whose files a job's are."""

    username: str | None
    """Null: the agent's own user."""
    working_dir_user: str

    @classmethod
    def read(cls, working_dir: Path) -> "Identity | None":
        try:
            return cls(**json.loads((working_dir / IDENTITY).read_text()))
        except FileNotFoundError:
            return None

    def write(self, working_dir: Path) -> None:
        if self.read(working_dir) != self:
            write_json(working_dir / IDENTITY, asdict(self))


@dataclass(frozen=True)
class Allocation:
    """A batch, and what SLURM is asked for to run it."""

    batch: str
    job_id: int
    wave: str
    wave_batches: int
    number: int
    """Of the batch, as its files are named."""
    prefix: str
    """Of the names of its files: `par-000003`, `non_par`."""
    units: int
    working_dir: str
    username: str | None
    working_dir_user: str
    folder: str
    """Of the task, the user's."""
    slurm: dict[str, Any]

    @property
    def directory(self) -> str:
        return f"{self.working_dir_user}/.fractal/{self.batch}"

    @property
    def job(self) -> SlurmJob:
        return SlurmJob.model_validate(self.slurm)

    @property
    def request(self) -> str:
        """Batches with the same request may be elements of one array."""
        return json.dumps([self.username, self.folder, self.slurm], sort_keys=True)


@dataclass(frozen=True)
class Submission:
    """One sbatch, attempted: it has made this job, or none (`is_void`), or it is not known yet."""

    token: str
    batches: dict[str, str]
    """By place in the array; the empty place for a job that is none."""
    output: str
    job: str | None = None
    is_void: bool = False

    def place(self, batch: str) -> int | None:
        place = next(place for place, name in self.batches.items() if name == batch)
        return int(place) if place else None


@dataclass(frozen=True)
class End:
    """How a batch ended."""

    cause: str
    error: str | None = None
    evidence: dict[str, Any] | None = None
    stderr: str | None = None

    @property
    def scheduler_evidence(self) -> SchedulerEvidence | None:
        return None if self.evidence is None else SchedulerEvidence.model_validate(self.evidence)


class WaveBusy(Exception):
    """Another agent submits this wave."""


class Wave:
    """The records of one wave."""

    def __init__(self, working_dir: Path, name: str) -> None:
        if not NAME.fullmatch(name):
            raise PermissionError(f"{name!r} is not the name of a wave")
        self.name = name
        self.folder = working_dir / ".fractal" / "waves" / name
        self._known: dict[str, Allocation] = {}
        self._submissions: dict[str, Submission] = {}

    def lock(self) -> int:
        """A descriptor that holds the wave until it is closed; raises WaveBusy."""
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise WaveBusy(self.name) from None
        return descriptor

    def add(self, allocation: Allocation) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_json(self.folder / f"batch-{allocation.batch}.json", asdict(allocation))

    def allocations(self) -> dict[str, Allocation]:
        """By batch; those of other agents too."""
        for name in self._names("batch-"):
            if name not in self._known:
                document = json.loads((self.folder / f"batch-{name}.json").read_text())
                self._known[name] = Allocation(**document)
        return self._known

    def allocation(self, batch: str) -> Allocation | None:
        if batch not in self._known:
            try:
                document = json.loads((self.folder / f"batch-{batch}.json").read_text())
            except FileNotFoundError:
                return None
            self._known[batch] = Allocation(**document)
        return self._known[batch]

    def newest(self) -> float:
        """When the last batch was added (seconds since the epoch)."""
        files = (entry.stat().st_mtime for entry in self.folder.glob("batch-*.json"))
        return max(files, default=0.0)

    def save(self, submission: Submission) -> None:
        write_json(self.folder / f"submission-{submission.token}.json", asdict(submission))

    def settle(self, submission: Submission, *, job: str | None = None) -> None:
        """It is known now: this job, or none."""
        self.save(replace(submission, job=job, is_void=job is None))

    def submissions(self) -> list[Submission]:
        for token in self._names("submission-"):
            known = self._submissions.get(token)
            if known is None or (known.job is None and not known.is_void):
                document = json.loads((self.folder / f"submission-{token}.json").read_text())
                self._submissions[token] = Submission(**document)
        return list(self._submissions.values())

    def submission_of(self, batch: str) -> Submission | None:
        """The one whose job runs the batch, or may."""
        found = (one for one in self.submissions() if not one.is_void and batch in one.batches.values())
        return next(found, None)

    def end(self, batch: str) -> End | None:
        try:
            return End(**json.loads((self.folder / f"end-{batch}.json").read_text()))
        except FileNotFoundError:
            return None

    def set_end(self, batch: str, end: End) -> None:
        write_json(self.folder / f"end-{batch}.json", asdict(end))

    def request_stop(self, batch: str) -> None:
        (self.folder / f"stop-{batch}").touch()

    def is_stopping(self, batch: str) -> bool:
        return (self.folder / f"stop-{batch}").exists()

    def _names(self, kind: str) -> list[str]:
        return sorted(file.name[len(kind) : -5] for file in self.folder.glob(f"{kind}*.json"))


def wave_of(working_dir: Path, batch: str) -> Wave | None:
    """The wave that a batch of a job belongs to."""
    if not NAME.fullmatch(batch):
        raise PermissionError(f"{batch!r} is not the name of a batch")
    found = next((working_dir / ".fractal" / "waves").glob(f"*/batch-{batch}.json"), None)
    return None if found is None else Wave(working_dir, found.parent.name)
