"""Old and new services share the bus while they are upgraded: what a version of a message says once, it says for ever.

`released.json` has of every message type the fields that releases out there may leave out or count on. A field may
be added with a default; anything else takes a new version of the type, and the old one stays readable.
"""

import json
from typing import Any

import pytest
from fractal_common.messages import Message
from pydantic import TypeAdapter

from .record import FILE, current, kinds

RELEASED: dict[str, dict[str, Any]] = json.loads(FILE.read_text())


CURRENT = current()


def test_every_message_is_on_record() -> None:
    """A new type, or a new field, is written down when it comes: `make record-messages`."""
    assert CURRENT.keys() == RELEASED.keys()
    assert {kind: sorted(of["fields"]) for kind, of in CURRENT.items()} == {
        kind: sorted(of["fields"]) for kind, of in RELEASED.items()
    }


@pytest.mark.parametrize("kind", sorted(RELEASED))
def test_a_released_message_keeps_its_fields(kind: str) -> None:
    for name, shape in RELEASED[kind]["fields"].items():
        assert CURRENT[kind]["fields"][name] == shape, f"{kind}: {name} has another type; make a new version of it"


@pytest.mark.parametrize("kind", sorted(RELEASED))
def test_what_an_older_sender_leaves_out_is_not_required(kind: str) -> None:
    assert CURRENT[kind]["required"] == RELEASED[kind]["required"], f"{kind}: older senders do not fill a new field"


@pytest.mark.parametrize("model", list(kinds()), ids=lambda model: model.__name__)
def test_what_a_newer_sender_adds_is_ignored(model: type[Message]) -> None:
    values: dict[str, Any] = {
        name: _example(field) for name, field in model.model_fields.items() if field.is_required()
    }
    message = TypeAdapter(model).validate_python(values | {"of_a_later_release": 1})
    assert "of_a_later_release" not in message.model_dump()


def _example(field: Any) -> object:
    """The simplest value of a required field's type."""
    for value in ("1", 1, [], {}, "2026-01-01T00:00:00Z", True, "collect", "pypi"):
        try:
            TypeAdapter(field.annotation).validate_python(value, strict=isinstance(value, bool))
        except ValueError:
            continue
        return value
    raise AssertionError(f"no example of {field.annotation}")
