"""Our OpenAPI document against the reference's, operation by operation."""

import json
from pathlib import Path
from typing import Any

import pytest

from .openapi import Comparison, operations
from .server import Server

REFERENCE = Path(__file__).with_name("data") / "openapi-reference.json"

# Differences that are meant: (operation, where it differs) → why.
EXPLAINED = {
    # The reference answers 202 and documents 200.
    ("POST /api/v2/task/collect/pip/", "responses"): "documented as it answers",
    ("POST /api/v2/task-group/{task_group_id}/deactivate/", "responses"): "documented as it answers",
    ("POST /api/v2/task-group/{task_group_id}/reactivate/", "responses"): "documented as it answers",
    ("POST /admin/v2/task-group/{task_group_id}/deactivate/", "responses"): "documented as it answers",
    ("POST /admin/v2/task-group/{task_group_id}/reactivate/", "responses"): "documented as it answers",
    ("POST /admin/v2/task-group/{task_group_id}/reset/pip/", "responses"): "documented as it answers",
    ("POST /admin/v2/task-group/{task_group_id}/reset/pixi/", "responses"): "documented as it answers",
    ("POST /auth/token/logout/", "responses"): "documented as it answers",
    # The reference documents nothing of these answers; ours say what they are.
    ("POST /api/v2/project/{project_id}/dataset/{dataset_id}/images/non-processed/", "200.type"): "a list of URLs",
    ("POST /api/v2/project/{project_id}/dataset/{dataset_id}/images/non-processed/", "200.items"): "a list of URLs",
    ("POST /api/v2/project/{project_id}/status/image-log/", "200.type"): "a text",
    ("GET /api/v2/project/{project_id}/status/unit-log/", "200.type"): "a text",
}


@pytest.fixture(scope="module")
def documents(server: Server) -> tuple[dict[str, Any], dict[str, Any]]:
    return json.loads(REFERENCE.read_text()), server.admin.get("/openapi.json")


def test_every_operation_of_the_reference_is_there(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    theirs, ours = map(operations, documents)
    assert sorted(theirs.keys() - ours.keys()) == []


def test_operations_look_as_those_of_the_reference(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    theirs, ours = map(operations, documents)
    comparison = Comparison(*documents)
    unexplained = [
        f"{name} {difference}"
        for name in theirs.keys() & ours.keys()
        for difference in comparison.operation(theirs[name], ours[name])
        if (name, difference.where) not in EXPLAINED
    ]
    assert sorted(unexplained) == []


def test_every_explanation_is_needed(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    theirs, ours = map(operations, documents)
    comparison = Comparison(*documents)
    found = {
        (name, difference.where)
        for name in theirs.keys() & ours.keys()
        for difference in comparison.operation(theirs[name], ours[name])
    }
    assert EXPLAINED.keys() - found == set()
