"""The transactional outbox: messages written with the state they announce, published afterwards by the relay."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from fractal_common.database.base import Base, JsonObject, utcnow

SCHEMA = {"schema": "jobs"}


class OutboxMessage(Base):
    """One message to publish.

    Either `payload` is the whole message, or `batch_id`/`activity_id` names the row from which the relay renders it
    at publishing time: a batch's units are not stored twice.
    """

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    subject: Mapped[str]
    payload: Mapped[JsonObject | None]
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.batch.id", ondelete="CASCADE"), index=True)
    activity_id: Mapped[int | None] = mapped_column(
        ForeignKey("jobs.taskgroupactivityv2.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(default=utcnow, server_default=text("now()"))
    sent_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_outbox_unsent", "id", postgresql_where=text("sent_at IS NULL")),
        SCHEMA,
    )


class ParkedMessage(Base):
    """An event that no handler understood or that kept failing; kept for an operator instead of looping."""

    __tablename__ = "parkedmessage"
    __table_args__ = SCHEMA

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    subject: Mapped[str]
    payload: Mapped[str]
    error: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)
    """Digest of subject and content, without what is new each time."""
    times: Mapped[int] = mapped_column(default=1, server_default="1")
    parked_at: Mapped[datetime] = mapped_column(default=utcnow, server_default=text("now()"))


class JobEvent(Base):
    """Something that happened to a job, for those who follow it live.

    Ids are drawn before their transaction commits, so they do not come in order. `xid` does the ordering: once no
    transaction with a smaller one is open, no event can appear before those that are visible.
    """

    __tablename__ = "jobevent"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    xid: Mapped[int] = mapped_column(BigInteger, server_default=text("pg_current_xact_id()::text::bigint"))
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.jobv2.id", ondelete="CASCADE"))
    type: Mapped[str]
    data: Mapped[JsonObject]
    at: Mapped[datetime] = mapped_column(default=utcnow, server_default=text("now()"), index=True)

    __table_args__ = (
        Index("ix_jobevent_position", "job_id", "xid", "id"),
        SCHEMA,
    )
