"""How the outputs of a task's processes change the image list."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fractal_jobs.domain.errors import MissingImage, NonUniqueUrls, OutsideZarrDir
from fractal_jobs.domain.images import Image, Types
from fractal_jobs.domain.outputs import ImageUpdate, TaskOutput, hashable


@dataclass(frozen=True)
class ImageChanges:
    """What to write: disjoint by URL, `created` in the order in which they are appended."""

    edited: list[Image] = field(default_factory=list[Image])
    created: list[Image] = field(default_factory=list[Image])
    removed: list[str] = field(default_factory=list[str])


def merge_outputs(outputs: Iterable[TaskOutput]) -> TaskOutput:
    """One output of many, in the order given (that of the unit indices, whatever order they finished in).

    Updates are concatenated, exact duplicates dropped; removals are a set.

    Raises:
        NonUniqueUrls: an image is named more than once.
    """
    updates: dict[Any, ImageUpdate] = {}
    removals: dict[str, None] = {}
    for output in outputs:
        for update in output.image_list_updates:
            updates.setdefault(hashable(update.model_dump()), update)
        removals.update(dict.fromkeys(output.image_list_removals))
    named = Counter([update.zarr_url for update in updates.values()])
    named.update(list(removals))
    repeated = [url for url, times in named.items() if times > 1]
    if repeated:
        raise NonUniqueUrls(
            f"TaskOutput ({len(updates)} image_list_updates and {len(removals)} image_list_removals) "
            "has non-unique zarr_urls:\n" + "\n".join(repeated)
        )
    return TaskOutput(image_list_updates=list(updates.values()), image_list_removals=list(removals))


def needed_urls(merged: TaskOutput) -> set[str]:
    """Images that `apply` must be given if the dataset has them."""
    updates = merged.image_list_updates
    origins = {update.origin for update in updates if update.origin is not None}
    return {update.zarr_url for update in updates} | origins | set(merged.image_list_removals)


def with_unspoken(merged: TaskOutput, succeeded_urls: Sequence[str]) -> TaskOutput:
    """If no process said anything, its input images count as updated, so that they get the task's output types."""
    if merged.image_list_updates or merged.image_list_removals:
        return merged
    return TaskOutput(image_list_updates=[ImageUpdate(zarr_url=url) for url in dict.fromkeys(succeeded_urls)])


def apply(merged: TaskOutput, images: Mapping[str, Image], *, zarr_dir: str, output_types: Types) -> ImageChanges:
    """Apply a merged output to the image list.

    `images` needs to hold those of `needed_urls` that exist, no others. An update sees the list as earlier updates
    of the same output left it; the task's `output_types` win over everything.

    Raises:
        OutsideZarrDir, MissingImage: nothing may be written then.
    """
    current = dict(images)
    created: dict[str, None] = {}
    edited: dict[str, None] = {}
    for update in merged.image_list_updates:
        existing = current.get(update.zarr_url)
        if existing is None:
            _check_below(update.zarr_url, zarr_dir)
            created[update.zarr_url] = None
        else:
            edited[update.zarr_url] = None
        if existing is not None and update.origin in {None, update.zarr_url}:
            base, origin = existing, existing.origin
        else:
            base, origin = current.get(update.origin or ""), update.origin
        current[update.zarr_url] = _updated(base or Image(""), update, origin, output_types)
    for url in merged.image_list_removals:
        if current.pop(url, None) is None:
            raise MissingImage(f"Cannot remove missing image (zarr_url={url}).")
    return ImageChanges(
        edited=[current[url] for url in edited if url not in created],
        created=[current[url] for url in created],
        removed=list(merged.image_list_removals),
    )


def _updated(base: Image, update: ImageUpdate, origin: str | None, output_types: Types) -> Image:
    attributes = {**base.attributes, **update.attributes}
    return replace(
        base,
        zarr_url=update.zarr_url,
        origin=origin,
        attributes={key: value for key, value in attributes.items() if value is not None},
        types={**base.types, **update.types, **output_types},
    )


def _check_below(zarr_url: str, zarr_dir: str) -> None:
    """Compared by path component: `/data/ds1_other/x` is not below `/data/ds1`."""
    if not zarr_url.startswith(zarr_dir.rstrip("/") + "/"):
        raise OutsideZarrDir(
            "Cannot create image if zarr_url is not a subfolder of zarr_dir.\n"
            f"zarr_dir: {zarr_dir}\nzarr_url: {zarr_url}"
        )
