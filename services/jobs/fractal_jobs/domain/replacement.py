"""What becomes of a workflow task whose task is replaced, usually by a newer version."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fractal_common.types import TaskType
from packaging.version import InvalidVersion, Version

WIDENING = {
    TaskType.NON_PARALLEL: TaskType.CONVERTER_NON_PARALLEL,
    TaskType.COMPOUND: TaskType.CONVERTER_COMPOUND,
}
"""Changes of type that leave a workflow task valid, beside none."""


def may_change(old: str, new: str) -> bool:
    return new in (old, WIDENING.get(TaskType(old)))


@dataclass(frozen=True)
class PackagedTask:
    """A task with the package and version of its task group."""

    id: int
    name: str
    type: str
    pkg_name: str
    version: str


def _parsed(version: str) -> Version | None:
    try:
        return Version(version)
    except InvalidVersion:
        return None


def newer(task: PackagedTask, others: Iterable[PackagedTask]) -> list[PackagedTask]:
    """Those of the same package and name that may replace the task, oldest first; none if versions do not compare."""
    current = _parsed(task.version)
    if current is None:
        return []
    found = [
        (version, other)
        for other in others
        if (other.pkg_name, other.name) == (task.pkg_name, task.name)
        and may_change(task.type, other.type)
        and (version := _parsed(other.version)) is not None
        and version > current
    ]
    return [other for _, other in sorted(found, key=lambda pair: (pair[0], pair[1].id))]


def changed_meta(
    old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, mine: dict[str, Any] | None
) -> dict[str, Any] | None:
    """The new task's meta properties with the changes that the workflow task (`mine`) made to those of the old one."""
    if old is None:
        return mine
    if mine is None:
        return None if new is None else dict(new)
    added = {key: value for key, value in mine.items() if key not in old or old[key] != value}
    return {key: value for key, value in {**(new or {}), **added}.items() if key in mine or key not in old}
