"""Waves of many SLURM jobs, as the engine handles what is told of them; the test tells it in the agent's place."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fractal_common.bus import COMMANDS, Bus, connected
from fractal_common.database.models import AccountingRecordSlurm, Batch, Job, Profile, Resource, User
from fractal_common.messages import (
    BatchCancel,
    BatchesAlive,
    BatchFinished,
    BatchRun,
    BatchSubmitted,
    Message,
    SchedulerEvidence,
    UnitOutcome,
    UnitsFinished,
    event_subject,
)
from fractal_common.settings import NatsSettings
from fractal_jobs.queries import jobs, scheduler
from fractal_server.embedded import nats
from pydantic import TypeAdapter
from sqlalchemy import func, select
from sqlalchemy.orm import undefer

from .stack import Stack, Step

LIMITS = {
    "target_num_jobs": 10_000,
    "max_num_jobs": 10_000,
    "target_cpus_per_job": 1,
    "max_cpus_per_job": 4,
    "target_mem_per_job": 1000,
    "max_mem_per_job": 4000,
}
_commands: TypeAdapter[BatchRun | BatchCancel] = TypeAdapter(BatchRun | BatchCancel)


async def add_cluster(stack: Stack) -> None:
    """A resource with SLURM, which no agent serves."""
    async with stack.database.transaction() as session:
        resource = Resource(
            name="cluster",
            type="slurm_sudo",
            jobs_local_dir="/jobs",
            tasks_local_dir="/tasks",
            jobs_poll_interval=0,
            jobs_slurm_python_worker="/opt/python",
            jobs_runner_config={
                "default_slurm_config": {"partition": "main", "cpus_per_task": 1, "mem": 1000},
                "batching_config": LIMITS,
                "user_local_exports": {"MODELS": "models"},
            },
        )
        session.add(resource)
        await session.flush()
        session.add(Profile(name="p", resource_id=resource.id, resource_type="slurm_sudo", username="ada"))
        person = {"email": "u@example.org", "hashed_password": "-", "is_verified": True}
        session.add(User(**person, project_dirs=["/p"], slurm_accounts=[]))


class Agent:
    """Takes the commands of resource 1 and tells what the test wants told."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._consumer = bus.consumer(COMMANDS, "agent-1")
        self.runs: dict[str, BatchRun] = {}
        self.cancelled: set[str] = set()
        self._number = 0

    async def take(self, count: int) -> None:
        """Commands, until so many batches are known."""
        async with asyncio.timeout(120):
            while len(self.runs) < count:
                await self._fetch()

    async def take_cancels(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.cancelled) < count:
                await self._fetch()

    async def _fetch(self) -> None:
        for delivery in await self._consumer.fetch(100, 0.2):
            command = _commands.validate_json(delivery.data)
            if isinstance(command, BatchRun):
                self.runs[command.batch] = command
            else:
                self.cancelled.add(command.batch)
            await delivery.ack()

    async def tell(self, *events: Message) -> None:
        for event in events:
            self._number += 1
            await self._bus.publish(event_subject(1, event), event, message_id=f"test-{self._number}")


@asynccontextmanager
async def agent_of(stack: Stack) -> AsyncGenerator[Agent]:
    settings = NatsSettings.model_validate(nats.environment(stack.home, stack.nats_port))
    async with connected(settings, name="test-agent") as bus:
        yield Agent(bus)


async def wave(stack: Stack, agent: Agent, count: int, kind: str = "parallel") -> tuple[int, list[BatchRun]]:
    images = [{"zarr_url": f"{stack.zarr_dir}/{number}"} for number in range(count)]
    job_id = await stack.submit([Step(kind)], images)
    known = set(agent.runs)
    await agent.take(len(known) + count)
    runs = [run for name, run in agent.runs.items() if name not in known]
    return job_id, sorted(runs, key=lambda run: run.wave_index)


def done(run: BatchRun) -> UnitsFinished:
    outcomes = [UnitOutcome(index=unit.index, status="done") for unit in run.units]
    return UnitsFinished(batch=run.batch, outcomes=outcomes)


def ended(run: BatchRun, cause: str = "COMPLETED", **fields: Any) -> BatchFinished:
    return BatchFinished(batch=run.batch, cause=cause, results=len(run.units) if cause == "COMPLETED" else 0, **fields)


def evidence(place: int, **fields: Any) -> SchedulerEvidence:
    known = {"state": "COMPLETED", "cpu_s": 1.5, "elapsed_s": 2, "peak_memory_kb": 1024 + place}
    return SchedulerEvidence.model_validate({"job_id": f"77_{place}", **known, **fields})


async def accounted(stack: Stack) -> list[tuple[int | None, list[int] | None]]:
    async with stack.database.session() as session:
        rows = await session.scalars(select(AccountingRecordSlurm).order_by(AccountingRecordSlurm.id))
        return [(row.fractal_job_id, row.slurm_job_ids) for row in rows]


async def test_a_wave_of_hundreds_of_slurm_jobs(stack: Stack) -> None:
    stack.kill("agent")
    await add_cluster(stack)
    count = 400
    async with agent_of(stack) as agent:
        job_id, runs = await wave(stack, agent, count)
        name = f"job{job_id:07d}-task0000-run0000001-par"
        assert [run.batch for run in runs] == [f"{name}-{index:06d}" for index in range(count)]
        assert {(run.wave, run.wave_batches, run.processes, run.username) for run in runs} == {(name, count, 1, "ada")}
        assert [run.wave_index for run in runs] == list(range(count))
        assert [unit.name for run in runs for unit in run.units] == [f"par-{n:06d}-{n:07d}" for n in range(count)]
        first = runs[0].slurm
        assert first is not None
        assert list(first.options) == ["partition", "ntasks", "cpus-per-task", "mem", "job-name"]
        assert (first.exports, first.python) == ({"MODELS": "/cache/models"}, "/opt/python")
        assert await accounted(stack) == [(job_id, [])], "the wave's row is there before any SLURM job is"
        await agent.tell(*(BatchSubmitted(batch=run.batch, handle=f"77_{run.wave_index}") for run in runs))
        await agent.tell(BatchesAlive(results={run.batch: 0 for run in runs}))
        await agent.tell(*(event for run in runs for event in (done(run), ended(run, evidence=evidence(0)))))
        job = await stack.finished(job_id, 240)
        assert job.status == "done", job.log
    assert await accounted(stack) == [(job_id, [77])]


async def test_signs_of_life_and_late_words(stack: Stack) -> None:
    stack.kill("agent")
    await add_cluster(stack)
    async with agent_of(stack) as agent:
        job_id, runs = await wave(stack, agent, 3)
        async with stack.database.transaction() as session:
            for batch in await session.scalars(select(Batch)):
                batch.heard_at = batch.created_at.replace(year=2000)
        # The third agent says that it has told a result which has not arrived.
        await agent.tell(BatchesAlive(results={runs[0].batch: 0, runs[1].batch: 0, runs[2].batch: 1, "unknown": 0}))
        async with asyncio.timeout(30):
            while True:
                async with stack.database.session() as session:
                    years = [batch.heard_at.year for batch in await session.scalars(select(Batch).order_by(Batch.id))]
                if years[0] != 2000:
                    break
                await asyncio.sleep(0.05)
        assert years[1] != 2000
        assert years[2] == 2000
        oom = evidence(1, state="OUT_OF_MEMORY", exit_code="0:125", requested_memory_mb=1000, peak_memory_kb=1_023_000)
        killed = "SLURM job 77_1 ended without a result of this process."
        await agent.tell(
            *(BatchSubmitted(batch=run.batch, handle=f"{77 + run.wave_index}") for run in runs),
            done(runs[0]),
            ended(runs[0], stderr="srun: Step created for job 77\n", evidence=evidence(0)),
            ended(runs[1], "OUT_OF_MEMORY", error=killed, evidence=oom, stderr="slurmstepd: error: oom\nsecond"),
            done(runs[2]),
            ended(runs[2], stderr="later"),
        )
        job = await stack.finished(job_id)
        assert job.status == "failed"
        said = "state OUT_OF_MEMORY, exit code 0:125, requested memory 1000 MB, peak memory 999 MB"
        assert f"1 of 3 processes failed: out of memory (SLURM says: {said})\nOriginal error:\n{killed}" in (
            job.log or ""
        )
        # SLURM's accounting may be late: the same end, told once more with its words.
        await agent.tell(ended(runs[2], evidence=evidence(2)))
        async with asyncio.timeout(30):
            while True:
                async with stack.database.session() as session:
                    (task,) = await scheduler.used(session, job_id)
                if task.usage.slurm_jobs_measured == 3:
                    break
                await asyncio.sleep(0.05)
        usage = task.usage
        assert (usage.slurm_jobs, usage.cpu_s, usage.elapsed_s) == (3, 4.5, 6)
        assert (usage.peak_memory_kb, usage.requested_memory_mb) == (1_023_000, 1000)
    assert await accounted(stack) == [(job_id, [77, 78, 79])]
    async with stack.database.session() as session:
        statement = select(Job).where(Job.id == job_id).options(undefer(Job.executor_error_log))
        found = (await session.scalars(statement)).one()
        assert found.executor_error_log == "slurmstepd: error: oom\n\nsecond"


async def test_a_stop_is_told_for_every_open_batch(stack: Stack) -> None:
    stack.kill("agent")
    await add_cluster(stack)
    async with agent_of(stack) as agent:
        job_id, runs = await wave(stack, agent, 5)
        await agent.tell(done(runs[0]), ended(runs[0]))
        async with asyncio.timeout(30):
            while True:
                async with stack.database.session() as session:
                    ended_batches = await session.scalar(
                        select(func.count()).select_from(Batch).where(Batch.state == "ended")
                    )
                if ended_batches == 1:
                    break
                await asyncio.sleep(0.05)
        async with stack.database.transaction() as session:
            await jobs.request_stop(session, job_id)
        await agent.take_cancels(4)
        assert agent.cancelled == {run.batch for run in runs[1:]}
        stopped = "Failed due to job-execution shutdown."
        await agent.tell(*(ended(run, "STOPPED", error=stopped) for run in runs[1:]))
        job = await stack.finished(job_id)
        assert job.status == "failed"
        assert "4 of 5 processes failed: stopped" in (job.log or "")
