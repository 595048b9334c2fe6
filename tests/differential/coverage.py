"""Which operations of the reference were asked for, with success and without."""

import re

from .pair import Pair

METHODS = {"get", "post", "put", "patch", "delete"}


def report(pair: Pair) -> None:
    document = pair.theirs.people["admin"].get("/openapi.json").json()
    for path, item in document["paths"].items():
        pattern = re.compile(re.sub(r"\{\w+\}", r"[^/]+", path))
        literal = "{" not in path

        def asked(sent: str, path: str = path, literal: bool = literal, pattern: re.Pattern[str] = pattern) -> bool:
            if literal or sent in document["paths"]:
                return sent == path
            return pattern.fullmatch(sent) is not None

        for method in METHODS & item.keys():
            statuses = {sent.theirs for sent in pair.sent if sent.method == method.upper() and asked(sent.path)}
            lacks = [
                word
                for word, there in (
                    ("success", any(status < 400 for status in statuses)),
                    ("failure", any(status >= 400 for status in statuses)),
                )
                if not there
            ]
            if lacks:
                print(f"  not covered: {method.upper()} {path}: {' and '.join(lacks)}")
