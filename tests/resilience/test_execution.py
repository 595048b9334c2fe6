"""Jobs from their submission to their end, through engine, bus, agent and workers."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from fractal_common.database.models import AccountingRecord, HistoryRun, HistoryUnit
from sqlalchemy import func, select

from .stack import Stack, Step


async def history(stack: Stack, job_id: int) -> list[tuple[str, int, dict[str, int]]]:
    """Run status, available images, and number of units by status."""
    async with stack.database.session() as session:
        runs = list(
            await session.scalars(select(HistoryRun).where(HistoryRun.job_id == job_id).order_by(HistoryRun.id))
        )
        found: list[tuple[str, int, dict[str, int]]] = []
        for run in runs:
            statement = (
                select(HistoryUnit.status, func.count())
                .where(HistoryUnit.history_run_id == run.id)
                .group_by(HistoryUnit.status)
            )
            counts = {status: number for status, number in (await session.execute(statement)).all()}  # noqa: C416
            found.append((run.status, run.num_available_images, counts))
        return found


async def test_a_converter_a_parallel_a_compound_and_a_non_parallel_task(stack: Stack) -> None:
    z = stack.zarr_dir
    new = [{"zarr_url": f"{z}/{n}", "attributes": {"n": n}, "types": {"is_3D": True}} for n in range(3)]
    mip = [{"zarr_url": f"{z}/{n}_mip", "origin": f"{z}/{n}", "types": {"is_3D": False}} for n in range(3)]
    items = {"parallelization_list": [{"zarr_url": f"{z}/{n}_mip", "init_args": {"k": n}} for n in range(3)]}
    job_id = await stack.submit(
        [
            Step("converter_non_parallel", args_non_parallel={"outputs": {z: {"image_list_updates": new}}}),
            Step("parallel", input_types={"is_3D": True}, output_types={"proc": True}),
            Step(
                "compound",
                args_non_parallel={"outputs": {z: items}},
                args_parallel={"outputs": {i["zarr_url"]: {"image_list_updates": [i]} for i in mip}},
                input_types={"is_3D": True},
                output_types={"is_3D": False},
            ),
            Step("non_parallel", output_types={"measured": True}),
        ],
        [],
    )
    job = await stack.finished(job_id)
    assert job.status == "done", job.log
    assert await stack.images(job) == [
        *[(f"{z}/{n}", None, {"n": n}, {"is_3D": True, "proc": True}) for n in range(3)],
        *[(f"{z}/{n}_mip", f"{z}/{n}", {"n": n}, {"is_3D": False, "proc": True, "measured": True}) for n in range(3)],
    ]
    assert await history(stack, job_id) == [
        ("done", 0, {"done": 1}),
        ("done", 3, {"done": 3}),
        ("done", 3, {"done": 4}),
        ("done", 3, {"done": 1}),
    ]
    async with stack.database.session() as session:
        rows = await session.execute(
            select(AccountingRecord.num_tasks, AccountingRecord.num_new_images).order_by(AccountingRecord.id)
        )
        assert list(rows) == [(1, 3), (3, 0), (4, 3), (1, 0)]
    assert job.log is not None
    assert "- DEBUG - SUBMIT 2-th task ('Step 2', puppet 1)" in job.log
    assert job.log.endswith('END workflow "w"\n')
    assert job.working_dir is not None
    log = Path(job.working_dir) / "1_step_1" / "par-000000-0000002-log.txt"
    assert log.read_text() == f"puppet {z}/2\n"


async def test_partial_failure_keeps_what_succeeded(stack: Stack) -> None:
    z = stack.zarr_dir
    update: dict[str, Any] = {f"{z}/{n}": {"image_list_updates": [{"zarr_url": f"{z}/{n}"}]} for n in (0, 2)}
    job_id = await stack.submit(
        [
            Step("parallel", args_parallel={"fail_on": [f"{z}/1"], "outputs": update}, output_types={"proc": True}),
            Step("parallel"),
        ],
        [{"zarr_url": f"{z}/{n}"} for n in range(3)],
    )
    job = await stack.finished(job_id)
    assert job.status == "failed"
    first, _, error = (job.log or "").partition("Original error:\n")
    assert first.startswith(
        f"JOB ERROR in Fractal job {job_id}:\nTRACEBACK:\nJobExecutionError\n\nAn error occurred.\n"
        "1 of 3 processes failed: exit code 7 (peak memory "
    )
    assert error == f"Task failed with returncode=7.\nSTDERR: puppet {z}/1\n\n\n"
    assert await history(stack, job_id) == [("failed", 3, {"done": 2, "failed": 1})]
    assert [types for *_, types in await stack.images(job)] == [{"proc": True}, {}, {"proc": True}]


async def test_an_empty_image_list_fails_the_job(stack: Stack) -> None:
    job_id = await stack.submit([Step("parallel")], [])
    job = await stack.finished(job_id)
    assert job.log == (
        f"JOB ERROR in Fractal job {job_id}:\nTRACEBACK:\nJobExecutionError\nCannot run task 'Step 0' for an empty "
        "image list (obtained after applying type_filters={} and attribute_filters={})."
    )
    assert await history(stack, job_id) == [("failed", 0, {})]


async def test_outputs_that_cannot_be_merged_change_nothing(stack: Stack) -> None:
    z = stack.zarr_dir
    outside = {f"{z}/0": {"image_list_updates": [{"zarr_url": "/elsewhere/x"}]}}
    job_id = await stack.submit(
        [Step("parallel", args_parallel={"outputs": outside}, output_types={"proc": True})], [{"zarr_url": f"{z}/0"}]
    )
    job = await stack.finished(job_id)
    assert job.log is not None
    assert "Cannot create image if zarr_url is not a subfolder of zarr_dir." in job.log
    assert await history(stack, job_id) == [("failed", 1, {"failed": 1})]
    assert await stack.images(job) == [(f"{z}/0", None, {}, {})]


@pytest.mark.parametrize("killed", ["engine", "agent", "nats", "nats and its volume", "worker", "everything"])
async def test_fifty_units_run_exactly_once_whatever_is_killed(stack: Stack, killed: str) -> None:
    """One process (or all) is SIGKILLed while the job runs, and started again."""
    z = stack.zarr_dir
    urls = sorted(f"{z}/{n:02d}" for n in range(50))
    job_id = await stack.submit(
        [Step("parallel", args_parallel={"sleep": 0.1}, output_types={"proc": True})],
        [{"zarr_url": url} for url in urls],
    )
    async with asyncio.timeout(30):
        while len(stack.started()) < 10:
            await asyncio.sleep(0.01)
    match killed:
        case "worker":
            assert stack.kill_workers() == 1
        case "nats and its volume":
            stack.kill("nats")
            shutil.rmtree(stack.home.directory("nats") / "jetstream")
            stack.start("nats")
        case "everything":
            for name in ("engine", "agent", "nats"):
                stack.kill(name)
            stack.kill_workers()
            for name in ("nats", "engine", "agent"):
                stack.start(name)
        case name:
            stack.kill(name)
            stack.start(name)
    job = await stack.finished(job_id, timeout_s=90)
    assert job.status == "done", job.log
    assert stack.started() == urls, "every unit ran exactly once"
    assert [(url, types) for url, _, _, types in await stack.images(job)] == [(url, {"proc": True}) for url in urls]
    assert await history(stack, job_id) == [("done", 50, {"done": 50})]


async def test_two_engines_share_the_work(stack: Stack) -> None:
    stack.start("engine-2")
    z = stack.zarr_dir
    jobs = [
        await stack.submit(
            [Step("parallel"), Step("non_parallel")], [{"zarr_url": f"{z}/{job}/{n}"} for n in range(10)]
        )
        for job in range(4)
    ]
    for job_id in jobs:
        job = await stack.finished(job_id)
        assert job.status == "done", job.log
        assert await history(stack, job_id) == [("done", 10, {"done": 10}), ("done", 10, {"done": 1})]
    assert len(stack.started()) == 4 * 11
