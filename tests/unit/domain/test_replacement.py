"""What becomes of meta properties, types and versions when a task is replaced (api §21)."""

from typing import Any

import pytest
from fractal_jobs.domain.replacement import PackagedTask, changed_meta, may_change, newer

KINDS = ("compound", "converter_compound", "non_parallel", "converter_non_parallel", "parallel")


@pytest.mark.parametrize(
    ("old", "new", "mine", "expected"),
    [
        ({"a": 1, "b": 2}, {"a": 3, "b": 4, "c": 5}, {"a": 1, "b": 9}, {"a": 3, "b": 9, "c": 5}),
        ({"a": 1, "b": 2}, {"a": 3, "b": 4}, {"a": 1}, {"a": 3}),
        ({}, {"a": 3}, {"b": 1}, {"a": 3, "b": 1}),
        ({"a": 1}, {}, {"a": 1, "b": 2}, {"b": 2}),
        ({"a": 1}, {"b": 2}, {}, {"b": 2}),
        ({"a": 1}, {"b": 2}, None, {"b": 2}),
        ({}, {}, None, {}),
        (None, {"b": 2}, {"c": 3}, {"c": 3}),
        (None, {"b": 2}, None, None),
        ({"a": 1}, None, {"a": 2}, {"a": 2}),
    ],
)
def test_changes_to_meta_properties_are_kept(
    old: dict[str, Any] | None,
    new: dict[str, Any] | None,
    mine: dict[str, Any] | None,
    expected: dict[str, Any] | None,
) -> None:
    assert changed_meta(old, new, mine) == expected


def test_types_stay_or_widen_to_converters() -> None:
    changes = {(old, new) for old in KINDS for new in KINDS if old != new and may_change(old, new)}
    assert changes == {("compound", "converter_compound"), ("non_parallel", "converter_non_parallel")}
    assert all(may_change(kind, kind) for kind in KINDS)


def test_newer_versions_are_those_of_the_same_task() -> None:
    def task(number: int, version: str, name: str = "t", package: str = "p") -> PackagedTask:
        return PackagedTask(number, name, "parallel", package, version)

    current = task(1, "1.2")
    others = [
        task(9, "1.10"),
        task(8, "1.3"),
        task(2, "1.3"),
        current,
        task(3, "1.2.0"),
        task(4, "1.2rc1"),
        task(5, "latest"),
        task(6, "2", name="u"),
        task(7, "2", package="q"),
    ]
    assert [other.id for other in newer(current, others)] == [2, 8, 9]
    assert newer(task(1, "latest"), others) == []
