"""Which operations of the reference were asked for, with success and without."""

import re

from .pair import Pair

METHODS = {"get", "post", "put", "patch", "delete"}


def report(pair: Pair) -> None:
    document = pair.theirs.people["admin"].get("/openapi.json").json()
    for path, item in document["paths"].items():
        pattern = re.compile(re.sub(r"\{\w+\}", r"[^/]+", path))
        literal = "{" not in path
        for method in METHODS & item.keys():
            statuses = {
                sent.theirs
                for sent in pair.sent
                if sent.method == method.upper()
                and (sent.path == path if literal else pattern.fullmatch(sent.path) and not _is_literal(document, sent.path))
            }
            lacks = [
                word
                for word, there in (
                    ("success", any(status < 400 for status in statuses)),
                    ("failure", any(400 <= status for status in statuses)),
                )
                if not there
            ]
            if lacks:
                print(f"  not covered: {method.upper()} {path}: {' and '.join(lacks)}")


def _is_literal(document: dict[str, dict[str, object]], path: str) -> bool:
    return path in document["paths"]
