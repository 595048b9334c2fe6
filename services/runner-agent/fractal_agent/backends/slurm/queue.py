"""What squeue says, read strictly: an answer that is not understood whole is no answer."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

SEPARATOR = "\x1f"
FIELDS = {
    "id": "%i",
    "partition": "%P",
    "name": "%j",
    "user": "%u",
    "account": "%a",
    "state": "%T",
    "time": "%M",
    "nodes": "%D",
    "cpus": "%C",
    "memory": "%m",
    "where": "%R",
    "array": "%F",
    "place": "%K",
    "raw_id": "%A",
    "comment": "%k",
    "command": "%o",
    "reason": "%r",
    "time_limit": "%l",
}
FORMAT = SEPARATOR.join(FIELDS.values())
HEADER = ["JOBID", "PARTITION", "NAME", "USER", "ACCOUNT", "STATE", "TIME", "NODES", "CPUS", "MIN_MEMORY"]

ENDED = {
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL"),
    *("OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT"),
}
"""States after which SLURM does nothing more with a job, unless it puts it into the queue again."""

WIDTHS = (12, 9, 24, 14, 14, 11, 12, 6, 4, 10)
"""Of the columns that people see, right-aligned and cut off; the last one is as long as it is."""


class Nonsense(Exception):
    """Not what squeue prints."""


@dataclass(frozen=True)
class Entry:
    """A job, or an element of an array, or all elements of an array that have not started."""

    id: str
    user: str
    account: str
    state: str
    reason: str
    array: str
    raw_id: str
    comment: str
    command: str
    time_limit: str
    nodes: str
    line: str
    """As people see it."""

    @property
    def is_over(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True)
class Snapshot:
    """All jobs that SLURM knows, at one moment."""

    taken_at: datetime
    started_s: float
    """Monotonic time at which the question was asked: what was submitted later may be missing."""
    entries: list[Entry]
    header: str
    elements: dict[str, Entry] = field(default_factory=lambda: {}, repr=False)
    waiting: dict[str, list[tuple[set[int] | None, Entry]]] = field(default_factory=lambda: {}, repr=False)

    def find(self, job: str, place: int | None) -> Entry | None:
        """The entry of a job, or of an element of an array."""
        if place is None:
            return self.elements.get(job)
        known = self.elements.get(f"{job}_{place}")
        if known is not None:
            return known
        for places, entry in self.waiting.get(job, []):
            if places is None or place in places:
                return entry
        # Of an array that was cancelled before anything of it started, one entry is left, without places.
        whole = self.elements.get(job)
        return whole if whole is not None and whole.is_over else None

    def named(self, token: str) -> str | None:
        """Id of the job (the whole array) whose comment or script has this word in it."""
        return next((entry.array for entry in self.entries if token in entry.comment or token in entry.command), None)


def read(text: str, started_s: float) -> Snapshot:
    """Parse squeue's output, header included.

    Raises:
        Nonsense: no header, a line with too few fields, an id that is none.
    """
    lines = text.splitlines()
    if not lines or lines[0].split(SEPARATOR)[:10] != HEADER:
        raise Nonsense(text[:200])
    title = lines[0].split(SEPARATOR)
    snapshot = Snapshot(datetime.now(UTC), started_s, [], display(title[:10], title[10]))
    for line in lines[1:]:
        values = line.split(SEPARATOR)
        if len(values) != len(FIELDS):
            raise Nonsense(line[:200])
        _add(snapshot, dict(zip(FIELDS, values, strict=True)), display(values[:10], values[10]))
    return snapshot


def _add(snapshot: Snapshot, job: dict[str, str], line: str) -> None:
    if not job["array"].isdigit() or not job["raw_id"].isdigit() or not job["state"]:
        raise Nonsense(line)
    entry = Entry(
        id=job["id"],
        user=job["user"],
        account=job["account"],
        state=job["state"],
        reason=job["reason"],
        array=job["array"],
        raw_id=job["raw_id"],
        comment=job["comment"],
        command=job["command"],
        time_limit=job["time_limit"],
        nodes=job["where"],
        line=line,
    )
    snapshot.entries.append(entry)
    place = job["place"]
    if place == "N/A" or not place:
        snapshot.elements[entry.array] = entry
    elif place.isdigit():
        snapshot.elements[f"{entry.array}_{place}"] = entry
    else:
        snapshot.waiting.setdefault(entry.array, []).append((places(place), entry))


def places(expression: str) -> set[int] | None:
    """Of `0-3,7:2%5`; None if it is cut off (`...`): then any place may be meant."""
    found: set[int] = set()
    if "..." in expression:
        return None
    for part in expression.partition("%")[0].split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part)
        if match is None:
            return None
        first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
        found.update(range(first, last + 1, step))
    return found


def display(values: Iterable[str], where: str) -> str:
    columns = (value[:width].rjust(width) for value, width in zip(values, WIDTHS, strict=True))
    return " ".join([*columns, where])
