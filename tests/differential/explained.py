"""Differences from the reference that are meant. Everything else that differs is an error of ours."""

import re

# (request as printed, difference as printed) → why.
EXPLAINED: list[tuple[str, str, str]] = [
    (".*", r".*: 500, ours 4\d\d", "where the reference fails, ours says what is wrong (status)"),
]
_COMPILED = [(re.compile(request), re.compile(difference), reason) for request, difference, reason in EXPLAINED]


def explanation(title: str, line: str) -> str | None:
    for request, difference, reason in _COMPILED:
        if request.fullmatch(title) and difference.fullmatch(line):
            return reason
    return None
