"""Events of the agents, applied idempotently: what is recorded stays, what is new is added."""

from typing import Any

from fractal_common.database.base import utcnow
from fractal_common.database.models import Batch
from fractal_common.messages import (
    BatchesAlive,
    BatchFinished,
    BatchRunning,
    BatchSubmitted,
    CommandRefused,
    EnvironmentFinished,
    EnvironmentProgress,
    Event,
    UnitOutcome,
    UnitsFinished,
)
from fractal_common.types import TaskType
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from fractal_jobs.domain.causes import exception_line
from fractal_jobs.domain.errors import InvalidOutput
from fractal_jobs.domain.evidence import executor_errors, slurm_job_id, without_result
from fractal_jobs.domain.joblog import clean_text
from fractal_jobs.domain.outputs import as_json, parse_init_output, parse_task_output
from fractal_jobs.domain.planning import NON_PARALLEL
from fractal_jobs.domain.states import BatchState
from fractal_jobs.engine import activities
from fractal_jobs.queries import abandoning, batches, events, executions, outbox, parked, scheduler, units

STARTED_STATES = {"planned", "submitted"}


class TooEarly(Exception):
    """The event counts results that have not arrived yet; to be delivered again."""


async def record(session: AsyncSession, event: Event, *, last_attempt: bool) -> None:
    """Apply an event; the job of a batch that is complete with it becomes due.

    Raises:
        TooEarly: unless it is the last attempt: then the batch is asked for again instead.
    """
    if isinstance(event, EnvironmentProgress | EnvironmentFinished):
        await activities.record(session, event)
        return
    if isinstance(event, CommandRefused):
        await parked.park(session, event.subject, clean_text(event.payload), clean_text(event.error))
        return
    if isinstance(event, BatchesAlive):
        await batches.heard(session, event.results)
        return
    batch = await _lock(session, event.batch)
    if batch is None:
        return  # of a job that was deleted
    if batch.state == BatchState.ABANDONED:
        await _fence(session, batch, event)
        return
    match event:
        case BatchSubmitted():
            await _account(session, batch, event)
            batch.heard_at = utcnow()
            if batch.state == "planned":
                batch.state = "submitted"
        case BatchRunning():
            total = await units.count(session, batch.id)
            if event.results <= total - batch.remaining:
                batch.heard_at = utcnow()
            if batch.state in STARTED_STATES:
                batch.state = "running"
        case UnitsFinished():
            await _record_outcomes(session, batch, event.outcomes)
        case BatchFinished():
            await _finish(session, batch, event, last_attempt=last_attempt)


async def _lock(session: AsyncSession, name: str) -> Batch | None:
    statement = select(Batch).where(Batch.name == name).options(undefer(Batch.spec)).with_for_update()
    return await session.scalar(statement)


async def _account(session: AsyncSession, batch: Batch, event: BatchSubmitted) -> None:
    """The scheduler's job, which will have cost something whatever becomes of it."""
    batch.handle = event.handle
    if batch.spec.get("slurm") is not None and (slurm_job := slurm_job_id(event.handle)) is not None:
        await scheduler.account(session, batch.id, [slurm_job])


async def _fence(session: AsyncSession, batch: Batch, event: Event) -> None:
    """Of a batch whose job was declared failed nothing counts but its end, and what it cost."""
    if isinstance(event, BatchSubmitted):
        await _account(session, batch, event)
    elif isinstance(event, BatchFinished):
        _note(batch, event)
        batch.state = BatchState.ENDED
        batch.cause = event.cause
        await session.flush()
        await abandoning.archive_when_still(session, batch.job_id)


async def _record_outcomes(session: AsyncSession, batch: Batch, outcomes: list[UnitOutcome]) -> None:
    kind = TaskType(batch.spec["task_type"])
    is_init = kind.is_compound and batch.part == NON_PARALLEL
    remaining = await units.record(
        session,
        batch.id,
        [_result(outcome, is_init=is_init) for outcome in outcomes],
        # Units of a compound task get their common status when the task is closed; a failed init part at once.
        shows_success=not kind.is_compound,
        shows_failure=not kind.is_compound or is_init,
    )
    await events.tell(session, batch.job_id, "units", {"run_id": batch.history_run_id})
    if remaining == 0:
        await executions.wake(session, batch.history_run_id)


async def _finish(session: AsyncSession, batch: Batch, event: BatchFinished, *, last_attempt: bool) -> None:
    total = await units.count(session, batch.id)
    if total - batch.remaining < event.results:
        if not last_attempt:
            raise TooEarly(event.batch)
        await outbox.add_batches(session, [(batch.id, batch.resource_id)])
        return
    _note(batch, event)
    if batch.state != "ended":
        batch.state = "ended"
        batch.cause = event.cause
        await _fail_the_rest(session, batch, event)
    errors = executor_errors(clean_text(event.stderr)) if event.stderr else None
    if errors is not None:
        # Last: it locks the job's row, which whoever advances the job locks after that of the execution.
        await scheduler.tell_errors(session, batch.id, errors)


async def _fail_the_rest(session: AsyncSession, batch: Batch, event: BatchFinished) -> None:
    """Units that left no result; if there are none, the last result woke the job."""
    await session.flush()
    missing = await units.missing(session, batch.id)
    if missing:
        error = event.error or without_result(event.cause, event.evidence)
        cause = event.cause.lower()
        outcomes = [UnitOutcome(index=index, status="failed", cause=cause, error=error) for index in missing]
        await _record_outcomes(session, batch, outcomes)


def _note(batch: Batch, event: BatchFinished) -> None:
    """What the scheduler said, whenever it is heard."""
    if event.evidence is not None:
        said = event.evidence.model_dump(mode="json")
        batch.evidence = {name: clean_text(value) if isinstance(value, str) else value for name, value in said.items()}


def _result(outcome: UnitOutcome, *, is_init: bool) -> dict[str, Any]:
    succeeded, output, error, cause = outcome.status == "done", None, outcome.error, outcome.cause
    if succeeded:
        try:
            parsed = parse_init_output(outcome.output) if is_init else parse_task_output(outcome.output)
            output = None if outcome.output is None else as_json(parsed)
        except InvalidOutput as problem:
            succeeded, error, cause = False, str(problem), "invalid_output"
    return {
        "index": outcome.index,
        "succeeded": succeeded,
        "output": output,
        "error": clean_text(error) if error is not None else None,
        "cause": cause,
        "exception": exception_line(clean_text(error)) if error is not None else None,
        "exit_code": outcome.exit_code,
        "signal": outcome.signal,
        "max_rss_kb": outcome.max_rss_kb,
        "wall_s": outcome.wall_s,
        "has_warnings": outcome.has_warnings,
    }
