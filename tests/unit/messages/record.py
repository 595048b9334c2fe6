"""`make record-messages`: write down what the messages of this release look like."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import fractal_common.messages as messages
from fractal_common.messages import Message

FILE = Path(__file__).with_name("released.json")
WORDS = {"default", "title", "description"}


def kinds() -> Iterator[type[Message]]:
    for found in vars(messages).values():
        if isinstance(found, type) and issubclass(found, Message) and found is not Message:
            yield found


def described(model: type[Message]) -> tuple[str, dict[str, Any]]:
    schema = model.model_json_schema()
    properties = cast("dict[str, dict[str, Any]]", schema["properties"])
    shapes = {
        name: json.dumps(
            {k: v for k, v in field.items() if k not in {"default", "title", "description"}}, sort_keys=True
        )
        for name, field in sorted(properties.items())
    }
    return str(properties["type"]["const"]), {"required": sorted(schema.get("required", [])), "fields": shapes}


def current() -> dict[str, dict[str, Any]]:
    """By type: `required`, fields that a sender of any release fills; `fields`, all, with their JSON schema types."""
    return dict(described(model) for model in kinds())


if __name__ == "__main__":
    FILE.write_text(json.dumps(current(), indent=1, sort_keys=True) + "\n")
