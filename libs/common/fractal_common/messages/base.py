"""What all messages have."""

from datetime import UTC, datetime
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

MAX_MESSAGE_BYTES = 256 * 1024
"""Larger payloads travel through the object store (see `bus`)."""


class Message(BaseModel):
    """Base of everything sent: an id for de-duplication and tracing, and the time of making."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(default_factory=lambda: uuid4().hex)
    time: datetime = Field(default_factory=lambda: datetime.now(UTC))
