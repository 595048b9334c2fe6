"""What a task's process may return."""

import json
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar, cast

from fractal_common.types import DictStrAny, ImageTypes, ZarrUrlStr
from fractal_common.types.collections import ImageAttributesWithNone
from pydantic import BaseModel, ConfigDict, ValidationError

from fractal_jobs.domain.errors import InvalidOutput

Output = TypeVar("Output", bound=BaseModel)


class ImageUpdate(BaseModel):
    """A new or changed image; a null attribute removes it. Unknown keys are ignored."""

    model_config = ConfigDict(frozen=True)

    zarr_url: ZarrUrlStr
    origin: ZarrUrlStr | None = None
    attributes: ImageAttributesWithNone = {}
    types: ImageTypes = {}


class TaskOutput(BaseModel):
    """Of non-parallel, parallel and compute processes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_list_updates: list[ImageUpdate] = []
    image_list_removals: list[ZarrUrlStr] = []


class ParallelizationItem(BaseModel):
    """One process of a compound task's compute part."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    zarr_url: ZarrUrlStr
    init_args: DictStrAny = {}


class InitTaskOutput(BaseModel):
    """Of init processes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parallelization_list: list[ParallelizationItem] = []


def parse_task_output(raw: Any) -> TaskOutput:
    """No output and `null` are an empty output.

    Raises:
        InvalidOutput: with the contract's text.
    """
    return _parse(raw, TaskOutput, "task")


def parse_init_output(raw: Any) -> InitTaskOutput:
    """As `parse_task_output`, for the init process of a compound task."""
    return _parse(raw, InitTaskOutput, "init-task")


def _parse(raw: Any, model: type[Output], kind: str) -> Output:
    if raw is None:
        return model()
    try:
        output = model.model_validate(raw)
    except ValidationError as error:
        raise InvalidOutput(
            f"Validation of {kind} output failed.\nOriginal error: {error}\nOriginal data: {raw}."
        ) from None
    problem = _unstorable(raw)
    if problem:
        raise InvalidOutput(f"Validation of {kind} output failed.\nOriginal error: {problem}\nOriginal data: {raw}.")
    return output


def _unstorable(value: Any) -> str | None:
    """JSON that no JSON database column takes: NUL characters, NaN and infinities."""
    if isinstance(value, str):
        return "strings must not contain NUL characters" if "\0" in value else None
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{value} is not a finite number"
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value)
        return next((found for pair in items.items() for part in pair if (found := _unstorable(part))), None)
    if isinstance(value, Sequence):
        parts = cast("Sequence[Any]", value)
        return next((found for part in parts if (found := _unstorable(part))), None)
    return None


def deduplicate(items: Sequence[ParallelizationItem]) -> list[ParallelizationItem]:
    """First of each group of equal items, order kept. Equality is Python's: `1`, `1.0` and `true` are equal."""
    found: dict[Hashable, ParallelizationItem] = {}
    for item in items:
        found.setdefault((item.zarr_url, hashable(item.init_args)), item)
    return list(found.values())


def hashable(value: Any) -> Hashable:
    """A key that is equal exactly when the JSON values are equal in Python."""
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value)
        return ("object", frozenset((key, hashable(item)) for key, item in items.items()))
    if isinstance(value, list):
        return ("array", *(hashable(item) for item in cast("list[Any]", value)))
    return value


def as_json(output: BaseModel) -> Any:
    """The validated output as plain JSON values."""
    return json.loads(output.model_dump_json())
