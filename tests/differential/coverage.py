"""Which operations of the reference were asked for, with success and with each kind of failure it can have."""

import re
from collections import defaultdict
from collections.abc import Generator
from typing import Any

from .explained import UNREACHABLE
from .pair import Pair

METHODS = ("get", "post", "put", "patch", "delete")
SUCCESS = "success"
ID = re.compile(r"\w*id")
# Looked at before anybody knows who asks.
ANY_ACTIVE = {"/auth/current-user/", "/auth/current-user/profile-info/", "/auth/token/logout/"}


def operations(document: dict[str, Any]) -> Generator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of each."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def kinds(path: str, operation: dict[str, Any]) -> set[str]:
    """Kinds of answer that an operation can have, as its description tells."""
    parameters = operation.get("parameters", [])
    found = {SUCCESS}
    if operation.get("security"):
        found.add("401")
        if path not in ANY_ACTIVE:
            found.add("403")
    if any(ID.fullmatch(one["name"]) and one["required"] for one in parameters):
        found.add("404")
    if "requestBody" in operation or any(set(one["schema"]) - {"title", "default"} for one in parameters):
        found.add("422")
    return found


def report(pair: Pair) -> bool:
    """Prints what lacks; whether anything does that `UNREACHABLE` does not name."""
    document = pair.theirs.people["admin"].get("/openapi.json").json()
    listed = list(operations(document))
    patterns = [(method, path, re.compile(re.sub(r"\{\w+\}", r"[^/]+", path))) for method, path, _ in listed]
    seen: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for sent in pair.sent:
        # A literal segment is more than a parameter.
        for method, path, pattern in sorted(patterns, key=lambda each: each[1].count("{")):
            if method == sent.method and pattern.fullmatch(sent.path):
                seen[method, path].add(SUCCESS if sent.theirs < 400 else str(sent.theirs))
                break
    lacking = {
        (f"{method} {path}", kind)
        for method, path, operation in listed
        for kind in kinds(path, operation) - seen[method, path]
    }
    for name, kind in sorted(lacking - UNREACHABLE.keys()):
        print(f"  not covered: {name}: {kind}")
    for name, kind in sorted(UNREACHABLE.keys() - lacking):
        print(f"  covered, though said to be out of reach: {name}: {kind}")
    return lacking != UNREACHABLE.keys()
