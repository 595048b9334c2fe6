"""Processes, their arguments and their file names; filters; names of folders; ranges; log texts."""

from datetime import UTC, datetime
from typing import Any

import pytest
from fractal_common.types import TaskType
from fractal_jobs.domain import joblog, names
from fractal_jobs.domain.errors import FilterConflict, PlanError
from fractal_jobs.domain.filters import effective_types, merge_type_filters, next_types
from fractal_jobs.domain.images import Image, select
from fractal_jobs.domain.indices import task_range
from fractal_jobs.domain.outputs import parse_init_output
from fractal_jobs.domain.planning import (
    Packing,
    TaskSnapshot,
    local_processes,
    plan_compute,
    plan_parallel,
    plan_single,
)


def task(kind: TaskType, **changes: Any) -> TaskSnapshot:
    values: dict[str, Any] = {
        "workflowtask_id": 1,
        "task_id": 1,
        "order": 0,
        "name": "T",
        "type": kind,
        "command_non_parallel": "python init.py",
        "command_parallel": "python compute.py",
        "args_non_parallel": {"p": 1},
        "args_parallel": {"q": 5},
        "meta_non_parallel": {},
        "meta_parallel": {},
        "input_types": {},
        "output_types": {},
        "type_filters": {},
        "alias": None,
    }
    return TaskSnapshot.model_validate(values | changes)


def arguments(wave: Any, index: int = 0) -> list[tuple[str, Any]]:
    unit = wave.units[index]
    return list({**unit.before, **wave.common, **unit.after}.items())


def test_arguments_of_a_non_parallel_process() -> None:
    wave = plan_single(task(TaskType.NON_PARALLEL), "/z", ["/z/a", "/z/b"])
    assert arguments(wave) == [("zarr_dir", "/z"), ("p", 1), ("zarr_urls", ["/z/a", "/z/b"])]
    assert (wave.units[0].name, wave.command) == ("non_par-", ["python", "init.py"])


def test_a_converter_gets_no_images() -> None:
    wave = plan_single(task(TaskType.CONVERTER_COMPOUND), "/z", [])
    assert arguments(wave) == [("zarr_dir", "/z"), ("p", 1)]
    with pytest.raises(PlanError, match="Forbidden 'zarr_urls' key in"):
        plan_single(task(TaskType.CONVERTER_COMPOUND, args_non_parallel={"zarr_urls": []}), "/z", [])


def test_arguments_and_names_of_compute_processes() -> None:
    items = parse_init_output(
        {"parallelization_list": [{"zarr_url": "/A/01", "init_args": {"k": 1}}, {"zarr_url": "/A/02"}]}
    ).parallelization_list
    wave = plan_compute(task(TaskType.COMPOUND), items, Packing(processes=None))
    assert arguments(wave) == [("zarr_url", "/A/01"), ("init_args", {"k": 1}), ("q", 5)]
    assert arguments(wave, 1) == [("zarr_url", "/A/02"), ("init_args", {}), ("q", 5)]
    assert [unit.name for unit in wave.units] == ["par-000000-0000000", "par-000000-0000001"]


def test_batch_numbers_in_names_follow_the_parallelism() -> None:
    wave = plan_parallel(task(TaskType.PARALLEL), [f"/z/{i}" for i in range(5)], Packing(processes=2))
    assert [unit.name for unit in wave.units][1:4] == ["par-000000-0000001", "par-000001-0000002", "par-000001-0000003"]


def test_limits_of_a_wave() -> None:
    plan_parallel(task(TaskType.PARALLEL), [f"/z/{i}" for i in range(20_000)], Packing(processes=None))
    with pytest.raises(PlanError) as caught:
        plan_parallel(task(TaskType.PARALLEL), [f"/z/{i}" for i in range(20_001)], Packing(processes=None))
    assert str(caught.value) == "Too many parallelization items.\n   20001\n   MAX_PARALLELIZATION_LIST_SIZE=20000\n"
    with pytest.raises(PlanError, match="Non-unique zarr_urls"):
        plan_parallel(task(TaskType.PARALLEL), ["/z/1", "/z/1"], Packing(processes=None))


@pytest.mark.parametrize(
    ("meta", "config", "expected"),
    [({}, {}, None), ({}, {"parallel_tasks_per_job": 3}, 3), ({"parallel_tasks_per_job": 2}, {}, 2)],
)
def test_local_parallelism(meta: dict[str, Any], config: dict[str, Any], expected: int | None) -> None:
    assert local_processes(meta, config) == expected


@pytest.mark.parametrize("wrong", [0, -1, "2", 1.5, True])
def test_local_parallelism_is_checked(wrong: object) -> None:
    with pytest.raises(PlanError, match="a positive integer is accepted"):
        local_processes({"parallel_tasks_per_job": wrong}, {})


IMAGES = [Image("a", types={"is_3D": True}), Image("b", types={"is_3D": True}), Image("c")]


def test_type_filters_flow_through_a_workflow() -> None:
    first = effective_types({}, {"is_3D": True}, {})
    assert [image.zarr_url for image in select(IMAGES, first, {})] == ["a", "b"]
    current = next_types({}, {"is_3D": False})
    projected = [*IMAGES, Image("a_mip", types={"is_3D": False}), Image("b_mip", types={"is_3D": False})]
    assert [i.zarr_url for i in select(projected, effective_types(current, {}, {}), {})] == ["c", "a_mip", "b_mip"]
    assert [i.zarr_url for i in select(projected, effective_types(current, {}, {"is_3D": True}), {})] == ["a", "b"]


def test_contradicting_filters_are_named() -> None:
    with pytest.raises(FilterConflict) as caught:
        merge_type_filters({"a": True}, {"a": False})
    assert (
        str(caught.value)
        == "Cannot merge type filters `{'a': True}` (from task) and `{'a': False}` (from workflowtask)."
    )


@pytest.mark.parametrize(
    ("value", "wanted", "matches"),
    [(1, [True], True), (1.0, [1], True), (True, [1.0], True), ("1", [1], False), (None, ["x"], False)],
)
def test_attribute_values_compare_as_in_python(value: object, wanted: list[object], matches: bool) -> None:
    image = Image("a", attributes={} if value is None else {"k": value})
    assert bool(select([image], {}, {"k": wanted})) is matches


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Project Image (HCS Plate)", "project_image__hcs_plate_"),
        ("Par Task.1", "par_task_1"),
        ("é/ß Tab\tX", "é_ß_tab_x"),
    ],
)
def test_slugs(name: str, expected: str) -> None:
    assert names.slug(name) == expected


def test_job_folder() -> None:
    started = datetime(2026, 11, 23, 6, 30, 4, tzinfo=UTC)
    assert names.job_folder(1, 2, 3, started) == ("2026-11/proj_v2_0000001_wf_0000002_job_0000003_20261123_063004")


def test_versions_sort_as_versions() -> None:
    versions = ["1.10", "abc", "1.9", None, "1.10a1"]
    assert sorted(versions, key=names.version_key) == [None, "abc", "1.9", "1.10a1", "1.10"]


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        (-1, None, "first_task_index=-1 cannot be negative"),
        (None, -1, "last_task_index=-1 cannot be negative"),
        (None, 3, "last_task_index=3 cannot be larger than (num_tasks-1)=2"),
        (3, None, "first_task_index=3 cannot be larger than last_task_index=2"),
    ],
)
def test_invalid_ranges(first: int | None, last: int | None, text: str) -> None:
    with pytest.raises(ValueError) as caught:
        task_range(first, last, 3)
    assert str(caught.value) == text


def test_log_texts() -> None:
    time = datetime(2026, 11, 23, 6, 30, 4, 744000, tzinfo=UTC)
    assert joblog.line(time, 1, 2, "INFO", "x") == "2026-11-23 06:30:04,744 - WF1_job2 - INFO - x\n"
    assert joblog.task_failure(7, "Task failed\0") == (
        "JOB ERROR in Fractal job 7:\nTRACEBACK:\nJobExecutionError\n\nAn error occurred.\n"
        "Original error:\nTask failed\N{REPLACEMENT CHARACTER}\n\n"
    )
    assert joblog.task_label("A", "T", "pkg", "1") == "('A', 'T', pkg 1)"
    assert joblog.task_label(None, "T", "pkg", "1") == "('T', pkg 1)"
