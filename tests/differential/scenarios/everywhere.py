"""Every operation, as everybody who may not use it, for what is not there, and with what cannot be read."""

import re
from typing import Any

from ..coverage import operations
from ..pair import Pair

MISSING = "98765"
# Good as far as their form goes: what is wrong with them is found later.
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/v2/task/collect/pip/": {"data": {"package": "surely-no-such-package"}},
    "POST /api/v2/task/collect/pixi/": {"files": {"file": ("a-1.tar.gz", b"")}},
}
WITHOUT = ("nobody", "inactive", "unverified", "stranger", "guest")
# Sends away whoever is logged in.
SKIPPED = {"/auth/token/logout/"}


def run(pair: Pair) -> None:
    document = pair.theirs.people["admin"].get("/openapi.json").json()
    methods(pair, document)
    for method, path, operation in operations(document):
        if path in SKIPPED or not operation.get("security"):
            continue
        sent = path.removeprefix("/api/v2")
        ids = {one["name"]: one for one in operation.get("parameters", []) if one["name"].endswith("id")}
        query = {name: MISSING for name, one in ids.items() if one["in"] == "query" and one["required"]}
        missing = re.sub(r"\{\w+\}", MISSING, sent)
        body = BODIES.get(f"{method} {path}") or ({"json": {}} if "requestBody" in operation else {})
        of_admins = path.startswith(("/admin", "/auth/", "/api/settings"))
        for who in (*WITHOUT, *(["u1"] if of_admins else [])):
            pair.call(who, method, missing, params=query, **body)
        who = "admin" if of_admins else "u1"
        if ids:
            pair.call(who, method, missing, params=query, note="what is not there", **body)
        unreadable = {one["name"]: "?" for one in operation.get("parameters", []) if one["in"] == "query"}
        wrong = {"json": ["?"]} if "requestBody" in operation else {}
        pair.call(who, method, re.sub(r"\{\w+\}", "x", sent), params=unreadable, note="unreadable", **wrong)
        for note, number in (
            ("negative", "-1"),
            ("as a float", "98765.0"),
            ("padded", " 98765 "),
            ("large", "4294967296"),
        ):
            if "{" in path:
                url = re.sub(r"\{\w+\}", number, sent)
                pair.call(who, method, url, params=query, note=f"ids {note}", **body)
        if "application/json" in operation.get("requestBody", {}).get("content", {}):
            for note, content in (("null", b"null"), ("cut off", b'{"a":'), ("empty", b""), ("number", b"1")):
                as_json = {"content": content, "headers": {"content-type": "application/json"}}
                pair.call(who, method, missing, params=query, note=f"body {note}", **as_json)
                pair.call("nobody", method, missing, params=query, note=f"body {note}", **as_json)
            pair.call(who, method, missing, params=query, note="body of no type", content=b"{}")


def methods(pair: Pair, document: dict[str, Any]) -> None:
    """Other methods than a path has, and the path without its last slash."""
    for path, item in document["paths"].items():
        sent = re.sub(r"\{\w+\}", MISSING, path.removeprefix("/api/v2"))
        for method in ("PUT", "DELETE", "PATCH", "GET", "POST"):
            if method.lower() not in item:
                pair.call("nobody", method, sent)
        method = next(one for one in ("get", "post", "patch", "put", "delete") if one in item).upper()
        pair.call("nobody", method, sent.removesuffix("/"), params={"a": "1 2"}, note="without slash")
