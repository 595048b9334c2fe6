"""`/job/{id}/events/`, `/log/` and `/failures/`: a job while it runs, and why it failed."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from fractal_common.bus import BusError
from fractal_common.database.sessions import Database
from fractal_common.http.pagination import Page, Pagination

from fractal_jobs.api import access
from fractal_jobs.api.access import READ, PathId, known
from fractal_jobs.api.agents import Agents, agents
from fractal_jobs.api.listening import Listener, listener
from fractal_jobs.api.principals import Data, Guest, StillReader
from fractal_jobs.api.schemas.jobs import UnitFailure
from fractal_jobs.api.streaming import while_allowed
from fractal_jobs.api.transactions import Reading
from fractal_jobs.queries import events, history
from fractal_jobs.queries.events import Position, Told

router = APIRouter(prefix="/project/{project_id}/job/{job_id}")

EVENTS_AT_A_TIME = 500
EVENTS_INTERVAL_S = 0.01
COUNTS_INTERVAL_S = 0.25
"""Between two counts of a run's processes: counting is dear, and a person reads no faster."""
POLL_S = 2.0
UNDECIDED_POLL_S = 0.015
"""After a wake-up that showed nothing yet: another transaction is about to commit."""
UNDECIDED_FOR_S = 1.0
KEEP_ALIVE_S = 15.0
STREAM_LIFETIME_S = 600.0
"""Then the client comes again, and is looked at again."""
FILE_POLL_S = 0.3

Listening = Annotated[Listener, Depends(listener)]
NO_BUFFERING = {"cache-control": "no-cache", "x-accel-buffering": "no"}


@router.get("/events/", response_class=StreamingResponse)
async def follow_job(
    request: Request,
    principal: Guest,
    standing: StillReader,
    session: Reading,
    data: Data,
    listening: Listening,
    project_id: PathId,
    job_id: PathId,
    last_event_id: Annotated[str, Header()] = "0-0",
) -> Response:
    """Server-sent events `job`, `run` and `units`; `Last-Event-ID` resumes behind one, on whichever replica.

    The stream ends with the job. Who comes back behind its last event gets 204: there is nothing more to wait for.
    """
    job = await access.job(session, principal, project_id, job_id, READ)
    try:
        position = Position.parse(last_event_id)
    except ValueError:
        raise HTTPException(422, f"Last-Event-ID: '{last_event_id}' is not an id of this stream.") from None
    if job.status != "submitted" and not await events.after(session, job.id, position, 1):
        return Response(status_code=204)
    stream = while_allowed(_events(request, data, listening, job.id, position), standing)
    return StreamingResponse(stream, media_type="text/event-stream", headers=NO_BUFFERING)


async def _events(
    request: Request, data: Database, listening: Listener, job_id: int, position: Position
) -> AsyncGenerator[str]:
    end = time.monotonic() + STREAM_LIFETIME_S
    quiet_since = undecided_until = counted = time.monotonic()
    with listening.following(job_id) as following:
        while time.monotonic() < end and not await request.is_disconnected():
            following.clear()
            async with data.reading() as session:
                told = _newest(await events.after(session, job_id, position, EVENTS_AT_A_TIME))
                runs = [one.data["run_id"] for one in told if one.type == "units"]
                hold_s = counted + COUNTS_INTERVAL_S - time.monotonic() if len(runs) == len(told) > 0 else 0
                counts = await events.counts(session, runs) if runs and hold_s <= 0 else {}
            if hold_s > 0:
                if await following.wait(
                    UNDECIDED_POLL_S if time.monotonic() < undecided_until else hold_s, urgent=True
                ):
                    undecided_until = time.monotonic() + UNDECIDED_FOR_S
                continue
            if runs:
                counted = time.monotonic()
            for one in told:
                position = one.position
                body = {**one.data, **(counts.get(one.data["run_id"], {}) if one.type == "units" else {})}
                yield f"id: {position}\nevent: {one.type}\ndata: {json.dumps({**body, 'time': one.at})}\n\n"
                if one.type == "job" and one.data["status"] != "submitted":
                    return
            now = time.monotonic()
            if told:
                quiet_since = undecided_until = now
                await asyncio.sleep(EVENTS_INTERVAL_S)  # what is told by then goes together
            elif now - quiet_since > KEEP_ALIVE_S:
                quiet_since = now
                yield ": still here\n\n"
            if not told and now < undecided_until:
                await asyncio.sleep(UNDECIDED_POLL_S)
            elif not told and await following.wait(POLL_S):
                undecided_until = time.monotonic() + UNDECIDED_FOR_S


def _newest(told: Sequence[Told]) -> list[Told]:
    """Of several counts of one run only the last: what they say is looked up when it is sent."""
    last = {one.data["run_id"]: one.position for one in told if one.type == "units"}
    return [one for one in told if one.type != "units" or last[one.data["run_id"]] == one.position]


@router.get("/failures/", response_model=Page[UnitFailure])
async def list_failures(
    principal: Guest, session: Reading, project_id: PathId, job_id: PathId, pages: Pagination
) -> object:
    """Every process of the job that failed, and why."""
    job = await access.job(session, principal, project_id, job_id, READ)
    total, rows = await history.failures(session, job.id, offset=pages.offset, limit=pages.page_size)
    return Page[UnitFailure].answer(pages, total, rows)


@router.get("/log/", response_class=StreamingResponse)
async def follow_log(
    principal: Guest,
    standing: StillReader,
    session: Reading,
    data: Data,
    listening: Listening,
    cluster: Annotated[Agents, Depends(agents)],
    project_id: PathId,
    job_id: PathId,
    history_unit_id: int | None = None,
    follow: bool = False,
) -> StreamingResponse:
    """The log of the job, or of one of its units; with `follow` up to its end, as it is written."""
    job = await access.job(session, principal, project_id, job_id, READ)
    if history_unit_id is None:
        stream = while_allowed(_job_log(data, listening, job.id, follow=follow), standing)
    else:
        unit_id = known(history_unit_id)
        project, _ = await access.project(session, principal, project_id, READ)
        unit = await events.unit_of_job(session, job.id, unit_id)
        if unit is None or job.working_dir is None:
            raise HTTPException(404, f"HistoryUnit {history_unit_id} not found in job {job.id}")
        place = (project.resource_id, unit[0], job.working_dir)
        try:
            await cluster.read_chunk(*place, 0)
        except (BusError, ValueError) as error:
            raise HTTPException(503, f"The log of unit {unit_id} cannot be read now: {error}.") from None
        stream = while_allowed(_unit_log(data, cluster, place, job.id, unit_id, follow=follow), standing)
    return StreamingResponse(stream, media_type="text/plain; charset=utf-8", headers=NO_BUFFERING)


async def _job_log(data: Database, listening: Listener, job_id: int, *, follow: bool) -> AsyncGenerator[str]:
    sent = 0
    end = time.monotonic() + STREAM_LIFETIME_S
    with listening.following(job_id) as following:
        while True:
            following.clear()
            async with data.reading() as session:
                status, progress, final = await events.log_of_job(session, job_id)
            yield progress[sent:]
            sent = len(progress)
            if status != "submitted":
                # A job that failed has another text as its log; one that is done has this one.
                yield final or "" if status == "failed" else ""
                return
            if not follow or time.monotonic() > end:
                return
            await following.wait(POLL_S)


async def _unit_log(
    data: Database, cluster: Agents, place: tuple[int, str, str], job_id: int, unit_id: int, *, follow: bool
) -> AsyncGenerator[bytes]:
    offset = 0
    end = time.monotonic() + STREAM_LIFETIME_S
    while True:
        async with data.reading() as session:
            # Before the file: what is read then is all of a process that has ended.
            unit = await events.unit_of_job(session, job_id, unit_id)
        try:
            chunk = await cluster.read_chunk(*place, offset)
        except BusError:
            return
        if chunk:
            offset += len(chunk)
            yield chunk
            continue
        if not follow or unit is None or unit[1] or time.monotonic() > end:
            return
        await asyncio.sleep(FILE_POLL_S)
