"""Differences from the reference that are meant. Everything else that differs is an error of ours."""

import re

FAILS = "where the reference fails with a 500, ours says what is wrong"
FASTAPI = "a `null` as body: the FastAPI of the reference calls it missing, a later one calls it no object"
NUL = "a NUL character is refused where the reference looks for it in vain"
ANYWHERE = ".*"

# (request as printed, difference as printed) → why.
EXPLAINED: list[tuple[str, str, str]] = [
    (ANYWHERE, r"\.status: 500, ours [24]\d\d", FAILS),
    (ANYWHERE, r"\.body: 'Internal Server Error', ours \{.*", FAILS),
    (ANYWHERE, r"\.headers\.content-type: 'text/plain; charset=utf-8', ours 'application/json'", FAILS),
    (r".* null", r"\.body\.detail\[0\]\.(msg|type): .*(missing|Field required).*", FASTAPI),
    (r".*\\x00.*", ANYWHERE, NUL),
]
_COMPILED = [(re.compile(request), re.compile(difference), reason) for request, difference, reason in EXPLAINED]


def explanation(title: str, line: str) -> str | None:
    for request, difference, reason in _COMPILED:
        if request.fullmatch(title) and difference.fullmatch(line):
            return reason
    return None
