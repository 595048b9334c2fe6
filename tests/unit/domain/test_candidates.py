"""Which of equal tasks is preferred, and what is offered instead of a missing one (api §14, §19)."""

from datetime import UTC, datetime

from fractal_jobs.domain.candidates import Candidate, Preference, available, choose, preference

EARLY, LATE = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)


def candidate(number: int, version: str, preferred: Preference) -> Candidate:
    return Candidate(number, version, active=True, is_core=number == 1, preference=preferred)


def test_own_then_default_then_oldest() -> None:
    own = preference(own=True, in_default_group=False, shared_since=None)
    default = preference(own=False, in_default_group=True, shared_since=LATE)
    early = preference(own=False, in_default_group=False, shared_since=EARLY)
    late = preference(own=False, in_default_group=False, shared_since=LATE)
    ranks = [late, early, default, own]
    for count in range(1, 5):
        offered = [candidate(number, "1", rank) for number, rank in enumerate(ranks[:count])]
        chosen = choose(offered, "1")
        assert chosen is not None
        assert chosen.task_id == count - 1
    assert choose([candidate(1, "1", own)], "1.0") is None
    assert choose([candidate(1, "1", own)], None) is None


def test_newest_first_and_older_than_what_was_asked_for() -> None:
    rank = preference(own=True, in_default_group=False, shared_since=None)
    offered = [candidate(number, version, rank) for number, version in enumerate(("1.9", "x", "1.10", "1.9"))]

    def shown(version: str | None) -> list[tuple[str, bool]]:
        return [(one["version"], one["older_than_target"]) for one in available(offered, version)]

    assert shown("1.9.5") == [("1.10", False), ("1.9", True), ("1.9", True), ("x", True)]
    assert shown("y") == [("1.10", False), ("1.9", False), ("1.9", False), ("x", True)]
    assert shown(None) == [("1.10", False), ("1.9", False), ("1.9", False), ("x", False)]
    assert available(offered, "2")[3] == {"version": "x", "older_than_target": True, "active": True, "is_core": True}
