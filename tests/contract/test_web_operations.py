"""web-client §2: every operation that fractal-web calls, what it sends, and the fields that it reads."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .server import Server

OPERATIONS = json.loads((Path(__file__).parent / "data" / "web-client.json").read_text())
WITHOUT = {
    "DELETE /auth/users/{userId}/": "a remnant in the client: the reference has no such route either",
    "GET /auth/{client}/authorize/": "there if a provider is configured (tests/integration/auth)",
    "GET /auth/{client}/callback/": "there if a provider is configured (tests/integration/auth)",
}
# Sent by habit: of an earlier release, and without effect in the reference, too.
IGNORED = {"GET /api/v2/project/{project_id}/dataset/": {"history"}}
PART = re.compile(r"\[\]|\{\}|\w+")
PARAMETER = re.compile(r"{\w+}")


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    return server.admin.get("/openapi.json")


def nameless(operation: str) -> str:
    return PARAMETER.sub("{}", operation)


def named(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Operations by method and path, whatever the parameters are called."""
    return {
        nameless(f"{method.upper()} {path}"): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def alternatives(document: dict[str, Any], schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schemas that a value may have, references followed."""
    if "$ref" in schema:
        yield from alternatives(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    elif "anyOf" in schema or "oneOf" in schema:
        for one in schema.get("anyOf", schema.get("oneOf", [])):
            yield from alternatives(document, one)
    else:
        yield schema


def below(document: dict[str, Any], schemas: list[dict[str, Any]], part: str) -> list[dict[str, Any]]:
    """What a part of a field's path leads to: a key, an element (`[]`) or any value (`{}`)."""
    found: list[dict[str, Any]] = []
    for schema in schemas:
        for one in alternatives(document, schema):
            if part == "[]":
                found += [one["items"]] if "items" in one else one.get("prefixItems", [])
            elif part == "{}":
                found += [one["additionalProperties"]] if isinstance(one.get("additionalProperties"), dict) else []
            elif part in one.get("properties", {}):
                found.append(one["properties"][part])
            elif one.get("additionalProperties") is True:
                # What is inside a dump, arguments or the like, is the application's affair.
                found.append({"additionalProperties": True})
    return found


def body_of(operation: dict[str, Any]) -> list[dict[str, Any]]:
    return [content["schema"] for content in operation.get("requestBody", {}).get("content", {}).values()]


def answer_of(operation: dict[str, Any]) -> list[dict[str, Any]]:
    answers = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    return [content["schema"] for answer in answers for content in answer.get("content", {}).values()]


def test_all_operations_are_there(document: dict[str, Any]) -> None:
    ours = named(document)
    assert len(OPERATIONS) == 142
    lacking = {one["operation"] for one in OPERATIONS if nameless(one["operation"]) not in ours}
    assert lacking == set(WITHOUT)


@pytest.mark.parametrize(
    "used", [one for one in OPERATIONS if one["operation"] not in WITHOUT], ids=lambda one: one["operation"]
)
def test_an_operation_takes_what_is_sent_and_has_what_is_read(document: dict[str, Any], used: dict[str, Any]) -> None:
    operation = named(document)[nameless(used["operation"])]
    parameters = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
    assert set(used.get("query", [])) - IGNORED.get(used["operation"], set()) <= parameters
    assert [key for key in used.get("sends", []) if not below(document, body_of(operation), key)] == []
    missing: list[str] = []
    for path in used.get("reads", []):
        schemas = answer_of(operation)
        for part in PART.findall(path):
            schemas = below(document, schemas, part)
        if not schemas:
            missing.append(path)
    assert missing == []
