"""Objects and lists of requests, with the contract's rules and messages."""

import json
from collections.abc import Iterable
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from fractal_common.types.strings import NonEmptyStr

MAX_DEPTH = 100
"""Of objects within objects: what an answer wraps around them adds some, and serialization ends at 255."""
RESERVED_ARGUMENTS = frozenset({"zarr_dir", "zarr_url", "zarr_urls", "init_args"})


def strip_keys(value: Any) -> Any:
    """Keys lose surrounding blanks; empty or colliding ones are refused. Non-objects are left to the type check."""
    if not isinstance(value, dict):
        return value
    given = cast("dict[Any, Any]", value)
    if all(isinstance(key, str) and key and not (key[0].isspace() or key[-1].isspace()) for key in given):
        return given
    stripped = {key.strip() if isinstance(key, str) else key: item for key, item in given.items()}
    if "" in stripped:
        raise ValueError(f"Empty string in {[key.strip() if isinstance(key, str) else key for key in given]}.")
    if len(stripped) != len(given):
        raise ValueError(f"Dictionary contains multiple identical keys: '{given}'.")
    return stripped


def _unique(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise ValueError("List has repetitions")
    return values


def _homogeneous(filters: dict[str, list[Any]]) -> dict[str, list[Any]]:
    for key, values in filters.items():
        if not values:
            raise ValueError(f"attribute_filters[{key}] cannot be an empty list.")
        types: set[type] = {type(value) for value in values}
        if len(types) > 1:
            raise ValueError(f"attribute_filters[{key}] has values with non-homogeneous types: {values}.")
    return filters


def _no_reserved(arguments: dict[str, Any]) -> dict[str, Any]:
    reserved = set(arguments) & RESERVED_ARGUMENTS
    if reserved:
        raise ValueError(f"`args` contains the following forbidden keys: {reserved}")
    return arguments


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    """Python reads from JSON what no JSON text can have, and more levels than it writes again."""
    if _is_deeper(value, MAX_DEPTH):
        raise ValueError(f"Object has more than {MAX_DEPTH} levels.")
    try:
        # Fails for halves of surrogate pairs, NaN and infinities.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:
        raise ValueError(f"Object cannot be stored as JSON: {error}") from None
    return value


def _is_deeper(value: Any, levels: int) -> bool:
    """Level by level, not by recursion."""
    inside = [value]
    for _ in range(levels):
        inside = [child for item in inside for child in _children(item)]
    return any(isinstance(item, dict | list) for item in inside)


def _children(item: Any) -> Iterable[Any]:
    if isinstance(item, dict):
        return cast("dict[Any, Any]", item).values()
    return cast("list[Any]", item) if isinstance(item, list) else ()


Scalar = StrictInt | StrictFloat | StrictStr | StrictBool
"""The JSON type is kept: `true` stays a boolean, `1` an integer, `1.0` a float."""

JsonObject = Annotated[dict[str, Any], AfterValidator(_storable)]
"""Anything that can be stored and sent again."""
DictStrAny = Annotated[JsonObject, BeforeValidator(strip_keys)]
DictStrStr = Annotated[dict[str, NonEmptyStr], BeforeValidator(strip_keys)]
ImageAttributes = Annotated[dict[str, Scalar], BeforeValidator(strip_keys)]
ImageAttributesWithNone = Annotated[dict[str, Scalar | None], BeforeValidator(strip_keys)]
ImageTypes = Annotated[dict[str, bool], BeforeValidator(strip_keys)]
TypeFilters = ImageTypes
AttributeFilters = Annotated[dict[str, list[Scalar]], BeforeValidator(strip_keys), AfterValidator(_homogeneous)]
WorkflowTaskArguments = Annotated[DictStrAny, AfterValidator(_no_reserved)]

NonNegativeInt = Annotated[int, Field(ge=0)]
PositiveInt = Annotated[int, Field(gt=0)]
ListUniqueNonEmptyString = Annotated[list[NonEmptyStr], AfterValidator(_unique)]
ListUniqueNonNegativeInt = Annotated[list[NonNegativeInt], AfterValidator(_unique)]
