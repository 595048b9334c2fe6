"""Validation of what processes return, and de-duplication of parallelization lists."""

import pytest
from fractal_jobs.domain.errors import InvalidOutput
from fractal_jobs.domain.outputs import ParallelizationItem, deduplicate, parse_init_output, parse_task_output
from hypothesis import given
from hypothesis import strategies as st


def test_no_output_is_an_empty_output() -> None:
    assert parse_task_output(None).model_dump() == {"image_list_updates": [], "image_list_removals": []}
    assert parse_init_output({}).parallelization_list == []


@pytest.mark.parametrize(
    "raw",
    [
        [],
        7,
        "text",
        True,
        {"unknown": 1},
        {"image_list_updates": None},
        {"image_list_updates": [{"zarr_url": "relative"}]},
        {"image_list_updates": [{"zarr_url": "/a/../b"}]},
        {"image_list_updates": [{"zarr_url": "/a", "attributes": {"x": [1]}}]},
        {"image_list_updates": [{"zarr_url": "/a", "attributes": None}]},
        {"image_list_updates": [{"zarr_url": "/a", "types": {"t": "maybe"}}]},
        {"image_list_updates": [{"zarr_url": "/a", "attributes": {"x": "\0"}}]},
        {"image_list_updates": [{"zarr_url": "/a", "attributes": {"x": float("nan")}}]},
    ],
)
def test_anything_else_fails_the_unit_with_the_original_data(raw: object) -> None:
    with pytest.raises(InvalidOutput) as caught:
        parse_task_output(raw)
    text = str(caught.value)
    assert text.startswith("Validation of task output failed.\nOriginal error: ")
    assert text.endswith(f"\nOriginal data: {raw}.")


def test_init_output_refuses_null_arguments() -> None:
    with pytest.raises(InvalidOutput, match=r"^Validation of init-task output failed\.\n"):
        parse_init_output({"parallelization_list": [{"zarr_url": "/a", "init_args": None}]})


def test_json_types_of_attributes_are_kept() -> None:
    (update,) = parse_task_output(
        {"image_list_updates": [{"zarr_url": "/a", "attributes": {"i": 1, "f": 1.0, "b": True, "s": "1"}}]}
    ).image_list_updates
    assert [type(value) for value in update.attributes.values()] == [int, float, bool, str]


def test_equal_items_are_collapsed_to_the_first() -> None:
    items = parse_init_output(
        {
            "parallelization_list": [
                {"zarr_url": "/A/01", "init_args": {"k": 1}},
                {"zarr_url": "/A/01/", "init_args": {"k": True}},
                {"zarr_url": "/A/01", "init_args": {"k": 2}},
                {"zarr_url": "/A/02"},
            ]
        }
    ).parallelization_list
    assert [(item.zarr_url, item.init_args) for item in deduplicate(items)] == [
        ("/A/01", {"k": 1}),
        ("/A/01", {"k": 2}),
        ("/A/02", {}),
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from([0.0, 1.0, 2.5]) | st.sampled_from(["", "1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


@given(st.lists(st.builds(dict, k=json_values), max_size=12))
def test_deduplication_equals_the_naive_scan(arguments: list[dict[str, object]]) -> None:
    items = [ParallelizationItem(zarr_url="/a", init_args=args) for args in arguments]
    naive: list[ParallelizationItem] = []
    for item in items:
        if item not in naive:
            naive.append(item)
    assert deduplicate(items) == naive
