"""How many images of a list have each value of an attribute and each combination of types, and how a change counts."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fractal_jobs.domain.images import Attributes, Types

Kind = tuple[Attributes, Types, int]
"""So many images more (or fewer, if negative) with these attributes and types."""
Counted = Sequence[tuple[Any, int]]


@dataclass(frozen=True)
class ImageCounts:
    """`attributes` has each attribute's values, in the order of their first images; `types` the combinations."""

    total: int
    attributes: Mapping[str, Counted]
    types: Counted

    @property
    def values(self) -> dict[str, list[Any]]:
        """Distinct values of each attribute, as clients see them.

        Sorted, numbers before texts; of `1`, `1.0` and `true`, equal in Python, the first one stands for all.
        """
        return {
            name: sorted(
                dict.fromkeys(value for value, _ in counted), key=lambda value: (isinstance(value, str), value)
            )
            for name, counted in self.attributes.items()
        }

    def after(self, kinds: Iterable[Kind]) -> "ImageCounts | None":
        """With so many images more and fewer; None if more are taken away than there are."""
        total = self.total
        types = _Tally(self.types)
        attributes = {name: _Tally(counted) for name, counted in self.attributes.items()}
        for image_attributes, image_types, number in kinds:
            total += number
            types.add(image_types, number)
            for name, value in image_attributes.items():
                attributes.setdefault(name, _Tally(())).add(value, number)
        tallies = (types, *attributes.values())
        if total < 0 or any(number < 0 for tally in tallies for _, number in tally.counted.values()):
            return None
        left = {name: tally.left() for name, tally in attributes.items()}
        return ImageCounts(total, {name: counted for name, counted in left.items() if counted}, types.left())


class _Tally:
    """Values as JSON tells them apart: `1`, `1.0` and `true` are three."""

    def __init__(self, counted: Counted) -> None:
        self.counted = {json.dumps(value, sort_keys=True): (value, number) for value, number in counted}

    def add(self, value: Any, number: int) -> None:
        key = json.dumps(value, sort_keys=True)
        self.counted[key] = (value, self.counted.get(key, (value, 0))[1] + number)

    def left(self) -> list[tuple[Any, int]]:
        return [each for each in self.counted.values() if each[1]]
