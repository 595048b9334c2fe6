"""Answers of two servers made comparable: ids, times, folders and other accidents become names.

Both databases start every table's ids at a million of its own, so an id tells which table it belongs to, wherever it
appears: in a field, in a text, in the name of a folder.
"""

import json
import re
from typing import Any

STEP = 1_000_000
NUMBER = re.compile(r"(?<![\d.])0*(\d{7,9})(?!\d)")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?")
STAMP = re.compile(r"_\d{8}_\d{6}")
# Ours says how many processes failed and why, before the error itself.
OWN_LINE = re.compile(r"(?m)^\d+ of \d+ processes failed: .*\n")
PYDANTIC = re.compile(r"errors\.pydantic\.dev/[\d.]+/")
# What pydantic was given, and how it spells it, in a text of its.
GIVEN = re.compile(r", input_value=.*?, input_type=\w+\]", re.DOTALL)
# How far an installation is depends on when it is asked for.
UNDER_WAY = re.compile(r"(status(?:=| '))(?:pending|ongoing)")
STEPS = re.compile(r"<time>,\d+ - \S+ - (?:DEBUG|INFO) - ")
FAILED = re.compile(r"Task \w+ failed\. Original error: .*")
PYTHON_SET = re.compile(r"\{('(?:[^'\\]|\\\\)+'(?:, '(?:[^'\\]|\\\\)+')+)\}")
# Lists whose order is free in the contract.
UNORDERED = {"types"}
# Fields that differ by what they are.
VOLATILE = {"access_token": "<token>"}


class Normaliser:
    """Of one server: what its ids and folders are called."""

    def __init__(self, tables: list[str], folders: dict[str, str]) -> None:
        self._tables = tables
        self._folders = sorted(folders.items(), key=lambda item: -len(item[0]))
        self._names: dict[int, str] = {}

    def remember(self, name: str, value: int) -> None:
        self._names.setdefault(value, name)

    def value(self, value: Any, key: str = "") -> Any:
        if key in VOLATILE:
            return VOLATILE[key]
        match value:
            case dict():
                return self._object(value)
            case list():
                items = [self.value(item, key) for item in value]
                return sorted(items, key=str) if key in UNORDERED or (key != "loc" and _is_mixed(items)) else items
            case bool():
                return value
            case int():
                return self._id(value) if value >= STEP else value
            case str():
                return log(self.text(value)) if key == "log" else self.text(value)
            case _:
                return value

    def _object(self, value: dict[str, Any]) -> dict[str, Any]:
        """Keys that are ids of one table stay as many as they are."""
        found: dict[str, Any] = {}
        for name, item in value.items():
            key = same = self.text(name)
            number = 1
            while key in found:
                number += 1
                key = f"{same} {number}"
            found[key] = self.value(item, name)
        return found

    def text(self, text: str) -> str:
        text = GIVEN.sub("]", PYDANTIC.sub("errors.pydantic.dev/", text))
        for folder, name in self._folders:
            text = text.replace(folder, name)
        text = STAMP.sub("_<stamp>", TIME.sub(lambda match: f"<time{match.group(2) or ''}>", text))
        text = PYTHON_SET.sub(lambda match: f"{{{', '.join(sorted(match.group(1).split(', ')))}}}", text)
        text = UNDER_WAY.sub(r"\1<under way>", text)
        return NUMBER.sub(lambda match: str(self._id(int(match.group(1)))), text)

    def _id(self, value: int) -> Any:
        if value in self._names:
            return f"<{self._names[value]}>"
        table = value // STEP - 1
        return f"<{self._tables[table]}>" if table < len(self._tables) else value


def _is_mixed(items: list[Any]) -> bool:
    """Numbers and texts, which have no order among them."""
    return {isinstance(item, str) for item in items} == {True, False} and all(
        isinstance(item, str | int | float) for item in items
    )


def in_order(body: Any) -> Any:
    """A list, or the items of a page, in an order that depends on nothing but them."""
    match body:
        case list():
            return sorted(body, key=lambda item: json.dumps(item, sort_keys=True))
        case {"items": list(items)}:
            return body | {"items": in_order(items)}
        case _:
            return body


def log(text: str) -> str:
    """What of a log clients look at: which kind it is, and the error."""
    if STEPS.match(text):
        return "\n".join(["<log of an activity>", *FAILED.findall(text)])
    if "INFO - Start execution of workflow" in text:
        return "<workflow log>"
    if text.startswith("UNKNOWN ERROR"):
        return "\n".join(text.split("\n")[:3])
    return OWN_LINE.sub("", text)


def differences(theirs: Any, ours: Any, where: str = "") -> list[str]:
    """One line for each place where two values differ."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        lines: list[str] = []
        for key in sorted(theirs.keys() | ours.keys()):
            if key not in ours:
                lines.append(f"{where}.{key}: {_short(theirs[key])}, ours is missing")
            elif key not in theirs:
                lines.append(f"{where}.{key}: is missing, ours {_short(ours[key])}")
            else:
                lines += differences(theirs[key], ours[key], f"{where}.{key}")
        return lines
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        return [
            line
            for number, pair in enumerate(zip(theirs, ours, strict=True))
            for line in differences(*pair, f"{where}[{number}]")
        ]
    same = theirs == ours and type(theirs) is type(ours)
    return [] if same else [f"{where}: {_short(theirs)}, ours {_short(ours)}"]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 400 else f"{text[:400]}… ({len(text)})"
