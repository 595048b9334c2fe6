"""`/admin/v2/parked-message/`: messages between services that nobody understood, e.g. during an upgrade."""

from datetime import datetime

from fastapi import APIRouter, HTTPException
from fractal_common.database.models import ParkedMessage
from fractal_common.http.pagination import Page, Pagination
from fractal_common.messages import Command, Event
from pydantic import TypeAdapter, ValidationError

from fractal_jobs.api.access import PathId, known
from fractal_jobs.api.principals import Superuser
from fractal_jobs.api.responses import empty
from fractal_jobs.api.schemas.base import Read
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.queries import parked

router = APIRouter(prefix="/admin/v2/parked-message", tags=["Admin area"])

_messages: TypeAdapter[Command | Event] = TypeAdapter(Command | Event)


class ParkedMessageRead(Read):
    id: int
    subject: str
    payload: str
    error: str
    times: int
    parked_at: datetime


@router.get("/", response_model=Page[ParkedMessageRead])
async def list_parked(principal: Superuser, session: Reading, pages: Pagination) -> object:
    total, rows = await parked.page(session, offset=pages.offset, limit=pages.page_size)
    return Page[ParkedMessageRead].answer(pages, total, rows)


@router.post("/{message_id}/replay/", status_code=202)
async def replay_parked(principal: Superuser, session: Session, message_id: PathId) -> object:
    """Send it again, now that somebody may understand it."""
    message = await _take(session, message_id)
    try:
        understood = _messages.validate_json(message.payload)
    except ValidationError as error:
        raise HTTPException(422, f"Message {message_id} is still not understood: {error.errors()[0]['msg']}") from None
    await parked.send_again(session, message, understood.model_dump(mode="json"))
    return empty(202)


@router.delete("/{message_id}/", status_code=204)
async def delete_parked(principal: Superuser, session: Session, message_id: PathId) -> None:
    await session.delete(await _take(session, message_id))


async def _take(session: Session, message_id: int) -> ParkedMessage:
    message = await parked.take(session, known(message_id))
    if message is None:
        raise HTTPException(404, f"Parked message {message_id} not found.")
    return message
