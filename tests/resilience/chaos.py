"""A scenario made from a seed: a job of all task types, and what happens to which part of the stack, and when."""

import asyncio
import random
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fractal_common.database.models import Batch, Execution, HistoryRun, HistoryUnit, UnitResult
from sqlalchemy import func, select

from .stack import Stack, Step

PARTS = ["engine", "engine-2", "agent", "nats", "worker"]
ACTIONS = ["kill", "pause", "wipe"]
IMAGES = 8
UNIT_S = 0.06
LAST_FAULT_S = 3.0
LONGEST_PAUSE_S = 4.0
END_WITHIN_S = 60.0
"""Of the last fault's end: every job has its one final status by then."""


@dataclass(frozen=True)
class Fault:
    """`kill`: SIGKILL, started again after `length_s`; `pause`: SIGSTOP for so long; `wipe`: NATS loses its disk."""

    at_s: float
    part: str
    action: str
    length_s: float

    def __str__(self) -> str:
        return f"{self.at_s:.2f} s: {self.action} {self.part} for {self.length_s:.2f} s"


def faults(seed: int) -> list[Fault]:
    """One or two parts, each hit once or twice; the same seed gives the same faults."""
    rng = random.Random(seed)

    def draw() -> Iterator[Fault]:
        for part in rng.sample(PARTS, rng.choice([1, 2])):
            for _ in range(rng.choice([1, 1, 2])):
                possible = {"nats": ACTIONS, "worker": ["kill"]}.get(part, ACTIONS[:2])
                action = rng.choice(possible)
                length_s = rng.uniform(0.1, LONGEST_PAUSE_S if action == "pause" else 1.0)
                yield Fault(rng.uniform(0, LAST_FAULT_S), part, action, length_s)

    return sorted(draw(), key=lambda fault: fault.at_s)


async def inflict(stack: Stack, planned: list[Fault]) -> None:
    """Each at its time; a part that a fault keeps down is left alone by others."""
    start = asyncio.get_running_loop().time()
    busy: set[str] = set()

    async def one(fault: Fault) -> None:
        await asyncio.sleep(max(0, start + fault.at_s - asyncio.get_running_loop().time()))
        if fault.part in busy:
            return
        if fault.part == "worker":
            stack.kill_workers()
            return
        busy.add(fault.part)
        if fault.action == "pause":
            process = stack.processes[fault.part]
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(fault.length_s)
            process.send_signal(signal.SIGCONT)
        else:
            stack.kill(fault.part)
            if fault.action == "wipe":
                shutil.rmtree(stack.home.directory("nats") / "jetstream", ignore_errors=True)
            await asyncio.sleep(fault.length_s)
            stack.start(fault.part)
        busy.discard(fault.part)

    await asyncio.gather(*(one(fault) for fault in planned))


def steps(z: str) -> list[Step]:
    """Converter, parallel, compound and non-parallel tasks, each with what it is to return."""
    new = [{"zarr_url": f"{z}/{n}", "attributes": {"n": n}, "types": {"is_3D": True}} for n in range(IMAGES)]
    items = [{"zarr_url": f"{z}/{n}_mip", "init_args": {"k": n}} for n in range(IMAGES)]
    mip = {
        f"{z}/{n}_mip": {
            "image_list_updates": [{"zarr_url": f"{z}/{n}_mip", "origin": f"{z}/{n}", "types": {"is_3D": False}}]
        }
        for n in range(IMAGES)
    }
    slow: dict[str, Any] = {"sleep": UNIT_S}
    return [
        Step("converter_non_parallel", {**slow, "outputs": {z: {"image_list_updates": new}}}),
        Step("parallel", {}, slow, input_types={"is_3D": True}, output_types={"proc": True}),
        Step(
            "compound",
            {**slow, "outputs": {z: {"parallelization_list": items}}},
            {**slow, "outputs": mip},
            input_types={"is_3D": True},
            output_types={"is_3D": False},
        ),
        Step("non_parallel", slow, {}, output_types={"measured": True}),
    ]


def expected_starts(z: str) -> Counter[str]:
    """How often each key is started in an undisturbed run: once a process."""
    found = Counter({z: 3})
    for number in range(IMAGES):
        found[f"{z}/{number}"] += 1
        found[f"{z}/{number}_mip"] += 1
    return found


def expected_images(z: str) -> list[tuple[str, str | None, dict[str, Any], dict[str, bool]]]:
    before = {"is_3D": True, "proc": True}
    after = {"is_3D": False, "proc": True, "measured": True}
    return [
        *[(f"{z}/{n}", None, {"n": n}, before) for n in range(IMAGES)],
        *[(f"{z}/{n}_mip", f"{z}/{n}", {"n": n}, after) for n in range(IMAGES)],
    ]


async def run(stack: Stack, seed: int) -> None:
    """Raises AssertionError naming the seed and its faults."""
    planned = faults(seed)
    story = f"seed {seed}: " + "; ".join(map(str, planned))
    stack.start("engine-2")
    job_id = await stack.submit(steps(stack.zarr_dir), [])
    await inflict(stack, planned)
    job = await stack.finished(job_id, END_WITHIN_S)
    assert job.status == "done", f"{story}: {job.log}"
    assert Counter(stack.started()) == expected_starts(stack.zarr_dir), story
    assert await stack.images(job) == expected_images(stack.zarr_dir), story
    async with stack.database.session() as session:
        assert set(await session.scalars(select(HistoryRun.status))) == {"done"}, story
        assert set(await session.scalars(select(HistoryUnit.status))) == {"done"}, story
        units = await session.scalar(select(func.count()).select_from(HistoryUnit))
        assert await session.scalar(select(func.count()).select_from(UnitResult)) == units, story
        assert set(await session.scalars(select(Batch.remaining))) == {0}, story
        assert list(await session.execute(select(Execution.state, Execution.wake_at))) == [("done", None)], story
