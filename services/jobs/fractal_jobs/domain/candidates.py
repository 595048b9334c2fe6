"""Which of the tasks that a user sees is meant by package, version and name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fractal_jobs.domain.names import version_key

FAR_FUTURE = datetime.max.replace(tzinfo=UTC)

Preference = tuple[bool, bool, datetime]
"""The least is preferred."""


def preference(*, own: bool, in_default_group: bool, shared_since: datetime | None) -> Preference:
    """Among task groups of one package and version: own ones, then the default group's, then the one shared longest."""
    return (not own, not in_default_group, shared_since or FAR_FUTURE)


@dataclass(frozen=True)
class Candidate:
    """A task of a package, in one of the task groups that a user sees."""

    task_id: int
    version: str
    active: bool
    is_core: bool
    preference: Preference


def choose(candidates: Iterable[Candidate], version: str | None) -> Candidate | None:
    """The candidate of exactly this version; None if there is none, or no version was asked for."""
    same = [candidate for candidate in candidates if candidate.version == version]
    return min(same, key=lambda candidate: candidate.preference, default=None)


def available(candidates: Sequence[Candidate], version: str | None) -> list[dict[str, Any]]:
    """What a user may choose from instead of `version`, newest first."""
    newest_first = sorted(candidates, key=lambda candidate: version_key(candidate.version), reverse=True)
    return [
        {
            "version": candidate.version,
            "older_than_target": version is not None and version_key(candidate.version) < version_key(version),
            "active": candidate.active,
            "is_core": candidate.is_core,
        }
        for candidate in newest_first
    ]
