"""A scenario made from a seed: a job of all task types, and what happens to which part of the stack, and when."""

import asyncio
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from fractal_common.database.models import (
    Batch,
    Execution,
    HistoryRun,
    HistoryUnit,
    OutboxMessage,
    ParkedMessage,
    UnitResult,
)
from sqlalchemy import func, select

from .following import Follower
from .stack import Stack, Step

SERVICES = ["engine", "engine-2", "agent", "agent-2", "api", "api-2", "nats", "postgres"]
LINKS = ["link-nats", "link-postgres"]
PARTS = [*SERVICES, *LINKS, "worker", "disk"]
PAIRS = [*((part,) for part in PARTS), *combinations(PARTS, 2)]
ACTIONS = {"nats": ["kill", "pause", "wipe"], "worker": ["kill"], "disk": ["fill"]}
"""A link that is killed cuts its connections, one that is paused holds them up."""
IMAGES = 8
UNIT_S = 0.06
LAST_FAULT_S = 3.0
LONGEST_PAUSE_S = 4.0
END_WITHIN_S = 60.0
"""Of the last fault's end: every job has its one final status by then."""
SENT_WITHIN_S = 10.0


@dataclass(frozen=True)
class Fault:
    """What happens to a part, and for how long.

    `kill`: SIGKILL, started again after `length_s`; `pause`: SIGSTOP for so long; `wipe`: killed, and its disk is
    lost; `fill`: no room on the agent's disk for so long.
    """

    at_s: float
    part: str
    action: str
    length_s: float

    def __str__(self) -> str:
        return f"{self.at_s:.2f} s: {self.action} {self.part} for {self.length_s:.2f} s"


def faults(seed: int) -> list[Fault]:
    """Of one or two parts, each hit once or twice; the same seed gives the same faults.

    Seeds that follow one another go through every part and every pair of parts; the first time each is killed.
    """
    rng = random.Random(seed)
    order = list(PAIRS)
    random.Random(0).shuffle(order)
    parts = order[seed % len(order)]

    def draw() -> Iterator[Fault]:
        for part in parts:
            possible = ACTIONS.get(part, ["kill", "pause"])
            for number in range(rng.choice([1, 1, 2])):
                action = possible[0] if seed < len(order) and number == 0 else rng.choice(possible)
                length_s = rng.uniform(0.1, LONGEST_PAUSE_S if action == "pause" else 1.0)
                yield Fault(rng.uniform(0, LAST_FAULT_S), part, action, length_s)

    return sorted(draw(), key=lambda fault: fault.at_s)


def needed(planned: list[Fault]) -> tuple[set[str], bool]:
    """Services that the scenario needs, and whether they are to be connected through links."""
    hit = {fault.part for fault in planned}
    services = {"nats", "engine", "engine-2", "agent"} | (hit & {"agent-2"})
    if hit & {"api", "api-2"}:
        services |= {"api", "api-2"}
    return services, bool(hit & set(LINKS))


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
        if fault.action == "fill":
            ballast = await asyncio.to_thread(fill, stack.home.directory("jobs"))
            await asyncio.sleep(fault.length_s)
            ballast.unlink()
        elif fault.action == "pause":
            stack.pause(fault.part)
            await asyncio.sleep(fault.length_s)
            stack.resume(fault.part)
        else:
            stack.kill(fault.part)
            if fault.action == "wipe":
                shutil.rmtree(stack.home.directory("nats") / "jetstream", ignore_errors=True)
            await asyncio.sleep(fault.length_s)
            await asyncio.to_thread(stack.start, fault.part)
        busy.discard(fault.part)

    await asyncio.gather(*(one(fault) for fault in planned))


def fill(directory: Path) -> Path:
    """Leave no byte; returns the file to remove."""
    ballast = directory / "ballast"
    with ballast.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(b"\0" * 4096)
        except OSError:
            return ballast


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


async def run(stack: Stack, seed: int, planned: list[Fault]) -> None:
    """Raises AssertionError naming the seed and its faults."""
    story = f"seed {seed}: " + "; ".join(map(str, planned))
    job_id = await stack.submit(steps(stack.zarr_dir), [])
    follower = Follower(stack, 1, job_id)
    async with asyncio.TaskGroup() as group:
        if "api" in stack.processes:
            group.create_task(follower.run())
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
        assert not list(await session.scalars(select(ParkedMessage.error))), story
    await all_sent(stack, story)
    if follower.events:
        check_events(follower, story)


async def all_sent(stack: Stack, story: str) -> None:
    """Nothing stays in the outbox."""
    unsent = select(func.count()).select_from(OutboxMessage).where(OutboxMessage.sent_at.is_(None))
    end = asyncio.get_running_loop().time() + SENT_WITHIN_S
    while True:
        async with stack.database.session() as session:
            count = await session.scalar(unsent)
        if not count:
            return
        assert asyncio.get_running_loop().time() < end, f"{story}: {count} messages not sent"
        await asyncio.sleep(0.1)


def check_events(follower: Follower, story: str) -> None:
    """Whoever followed on several replicas was told everything, once, in order."""
    assert follower.ids == sorted(set(follower.ids)), story
    told = [(kind, data["status"]) for kind, data in follower.events if kind != "units"]
    assert told == [*[("run", "submitted"), ("run", "done")] * 4, ("job", "done")], story
