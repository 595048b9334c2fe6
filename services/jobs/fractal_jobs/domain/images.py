"""Images of a dataset, and which of them a filter selects."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Attributes = Mapping[str, Any]
Types = Mapping[str, bool]

STATUS_ATTRIBUTE = "__wftask_dataset_image_status__"
"""Pseudo-attribute with which a submission selects images by their status; never stored."""


@dataclass(frozen=True)
class Image:
    """One entry of an image list."""

    zarr_url: str
    origin: str | None = None
    attributes: Attributes = field(default_factory=dict[str, Any])
    types: Types = field(default_factory=dict[str, bool])


def types_match(types: Types, filters: Types) -> bool:
    """A type that an image does not have counts as false."""
    return all(types.get(key, False) == value for key, value in filters.items())


def matches_types(image: Image, filters: Types) -> bool:
    return types_match(image.types, filters)


def matches_attributes(image: Image, filters: Mapping[str, Sequence[Any]]) -> bool:
    """A missing attribute never matches; values compare as in Python, so `1`, `1.0` and `true` match each other."""
    return all(key in image.attributes and image.attributes[key] in values for key, values in filters.items())


def select(images: Iterable[Image], types: Types, attributes: Mapping[str, Sequence[Any]]) -> list[Image]:
    """Images that match all filters, in their order."""
    return [image for image in images if matches_types(image, types) and matches_attributes(image, attributes)]


def with_status(image: Image, statuses: Mapping[str, str] | None) -> Image:
    """Carrying the pseudo-attribute, if statuses are in use and the image has one."""
    status = (statuses or {}).get(image.zarr_url)
    return image if status is None else replace(image, attributes={**image.attributes, STATUS_ATTRIBUTE: status})


def without_status(image: Image) -> Image:
    """As it is stored."""
    kept = {key: value for key, value in image.attributes.items() if key != STATUS_ATTRIBUTE}
    return replace(image, attributes=kept)
