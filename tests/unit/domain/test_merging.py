"""Merging task outputs into the image list: the worked examples, and what holds whatever the order."""

import pytest
from fractal_jobs.domain.errors import MissingImage, NonUniqueUrls, OutsideZarrDir
from fractal_jobs.domain.images import Image
from fractal_jobs.domain.merging import ImageChanges, apply, merge_outputs, needed_urls, with_unspoken
from fractal_jobs.domain.outputs import parse_task_output
from hypothesis import given
from hypothesis import strategies as st

Z = "/z/ds"
PROC = {"proc": True}


def run(images: list[Image], *raw: object, succeeded: tuple[str, ...] = ()) -> ImageChanges:
    merged = with_unspoken(merge_outputs(parse_task_output(item) for item in raw), succeeded)
    needed = needed_urls(merged)
    known = {image.zarr_url: image for image in images if image.zarr_url in needed}
    return apply(merged, known, zarr_dir=Z, output_types=PROC)


def test_processes_that_say_nothing_give_their_images_the_output_types() -> None:
    images = [Image("/z/ds/A/01", types={"is_3D": True}), Image("/z/ds/A/02")]
    changes = run(images, None, None, succeeded=("/z/ds/A/01", "/z/ds/A/02"))
    assert [image.types for image in changes.edited] == [{"is_3D": True, "proc": True}, {"proc": True}]


def test_one_process_that_speaks_speaks_for_all() -> None:
    images = [Image("/z/ds/A"), Image("/z/ds/B")]
    changes = run(images, {"image_list_updates": [{"zarr_url": "/z/ds/A"}]}, None, succeeded=("/z/ds/A", "/z/ds/B"))
    assert [image.zarr_url for image in changes.edited] == ["/z/ds/A"]


def test_new_image_inherits_from_its_origin() -> None:
    source = Image(
        "/z/ds/plate.zarr/A/02/0",
        attributes={"well": "A02", "plate": "plate.zarr", "x": 1.5, "flag": True},
        types={"is_3D": True, "b": False},
    )
    update = {
        "zarr_url": "/z/ds/plate_mip.zarr/A/02/0",
        "origin": source.zarr_url,
        "attributes": {"plate": "plate_mip.zarr", "x": None, "none2": None},
        "types": {"is_3D": False},
    }
    changes = run([source], {"image_list_updates": [update]})
    assert changes.edited == []
    (created,) = changes.created
    assert created.origin == source.zarr_url
    assert created.attributes == {"well": "A02", "plate": "plate_mip.zarr", "flag": True}
    assert created.types == {"is_3D": False, "b": False, "proc": True}


def test_output_types_beat_reported_types_and_urls_are_normalised() -> None:
    update = {
        "zarr_url": " /z/ds//p2.zarr/./A/01/0/ ",
        "types": {"t": False, "proc": False},
        "attributes": {" k ": "v"},
    }
    (created,) = run([], {"image_list_updates": [update]}).created
    assert created == Image("/z/ds/p2.zarr/A/01/0", None, {"k": "v"}, {"t": False, "proc": True})


EXISTING = Image(
    "/z/ds/A/02",
    attributes={"well": "A02", "plate": "p", "x": 1.5, "flag": True},
    types={"is_3D": True, "b": False},
)
ORIGIN = Image("/z/ds/A/01", attributes={"well": "A01", "plate": "p"}, types={"is_3D": True})


def test_edit_keeps_what_it_does_not_name() -> None:
    update = {"zarr_url": "/z/ds/A/02", "attributes": {"x": None, "plate": "Q"}, "types": {"is_3D": False}}
    (edited,) = run([EXISTING], {"image_list_updates": [update]}).edited
    assert edited.attributes == {"well": "A02", "plate": "Q", "flag": True}
    assert edited.types == {"b": False, "is_3D": False, "proc": True}


@pytest.mark.parametrize(
    ("origin", "attributes", "types"),
    [
        ("/z/ds/A/01", {"well": "A01", "plate": "p", "y": 1}, {"is_3D": True, "proc": True}),
        ("/nope", {"y": 1}, {"proc": True}),
    ],
)
def test_another_origin_makes_the_image_anew(
    origin: str, attributes: dict[str, object], types: dict[str, bool]
) -> None:
    update = {"zarr_url": "/z/ds/A/02", "origin": origin, "attributes": {"y": 1}}
    changes = run([EXISTING, ORIGIN], {"image_list_updates": [update]})
    assert changes.created == []
    assert changes.edited == [Image("/z/ds/A/02", origin, attributes, types)]


def test_removal_touches_nothing_else() -> None:
    changes = run([ORIGIN, EXISTING], {"image_list_removals": ["/z/ds/A/01/"]}, succeeded=("/z/ds/A/01", "/z/ds/A/02"))
    assert changes == ImageChanges(removed=["/z/ds/A/01"])


def test_removing_what_is_not_there_is_an_error() -> None:
    with pytest.raises(MissingImage) as caught:
        run([], {"image_list_removals": ["/z/ds/x"]})
    assert str(caught.value) == "Cannot remove missing image (zarr_url=/z/ds/x)."


@pytest.mark.parametrize("url", ["/z/ds", "/z/ds_evil/x", "/elsewhere", "s3://bucket/x"])
def test_new_images_stay_below_the_dataset(url: str) -> None:
    with pytest.raises(OutsideZarrDir) as caught:
        run([], {"image_list_updates": [{"zarr_url": url}]})
    assert str(caught.value) == (
        "Cannot create image if zarr_url is not a subfolder of zarr_dir.\nzarr_dir: /z/ds\n" + f"zarr_url: {url}"
    )


def test_two_processes_must_not_disagree_about_an_image() -> None:
    first = {"image_list_updates": [{"zarr_url": "/z/ds/A", "attributes": {"n": 1}}]}
    second = {"image_list_updates": [{"zarr_url": "/z/ds/A", "attributes": {"n": 2}}]}
    with pytest.raises(NonUniqueUrls) as caught:
        run([], first, second)
    assert str(caught.value) == (
        "TaskOutput (2 image_list_updates and 0 image_list_removals) has non-unique zarr_urls:\n/z/ds/A"
    )
    assert len(run([], first, first).created) == 1


def test_a_later_update_sees_an_earlier_one_as_its_origin() -> None:
    updates = [
        {"zarr_url": "/z/ds/A", "attributes": {"k": "v"}},
        {"zarr_url": "/z/ds/B", "origin": "/z/ds/A"},
    ]
    assert [image.attributes for image in run([], {"image_list_updates": updates}).created] == [{"k": "v"}] * 2


@given(st.permutations(range(8)))
def test_the_order_in_which_processes_finish_does_not_matter(finished: list[int]) -> None:
    raw = {i: {"image_list_updates": [{"zarr_url": f"/z/ds/{i}", "origin": "/z/ds/0"}]} for i in range(1, 8)}
    results = {index: parse_task_output(raw.get(index)) for index in finished}
    merged = merge_outputs(results[index] for index in sorted(results))
    images = {"/z/ds/0": Image("/z/ds/0", attributes={"a": 1})}
    created = apply(merged, images, zarr_dir=Z, output_types={}).created
    assert [image.zarr_url for image in created] == [f"/z/ds/{i}" for i in range(1, 8)]


@given(st.sampled_from(["/z/ds/new", "/z/ds/A/01"]))
def test_what_one_task_adds_the_next_can_remove(url: str) -> None:
    images = {"/z/ds/A/01": ORIGIN}
    added = apply(
        merge_outputs([parse_task_output({"image_list_updates": [{"zarr_url": url}]})]),
        images,
        zarr_dir=Z,
        output_types={},
    )
    after = images | {image.zarr_url: image for image in added.created + added.edited}
    removed = apply(
        merge_outputs([parse_task_output({"image_list_removals": [url]})]), after, zarr_dir=Z, output_types={}
    )
    assert removed.removed == [url]
    assert removed.created == removed.edited == []
