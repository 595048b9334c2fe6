"""What runs, and what ended a short time ago."""

from dataclasses import dataclass
from datetime import datetime

from fractal_common.database.models import Job, TaskGroupActivity, User
from sqlalchemy import case, or_, select
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True)
class Recent:
    """A job or an activity; `what` says more about an activity."""

    id: int
    email: str
    what: tuple[str, ...]
    status: str
    start: datetime
    end: datetime | None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_JOBS or self.status in OPEN_ACTIVITIES


OPEN_JOBS = ("submitted",)
OPEN_ACTIVITIES = ("ongoing", "pending")


async def jobs(session: AsyncSession, since: datetime) -> list[Recent]:
    """Submitted ones first, then those that are done, then those that failed; the newest of each first."""
    order = case({"submitted": 0, "done": 1, "failed": 2}, value=Job.status)
    statement = (
        select(Job.id, Job.user_email, Job.status, Job.start_timestamp, Job.end_timestamp)
        .where(or_(Job.status.in_(OPEN_JOBS), Job.end_timestamp >= since))
        .order_by(order, Job.start_timestamp.desc())
    )
    return [Recent(row[0], row[1], (), *row[2:]) for row in await session.execute(statement)]


async def activities(session: AsyncSession, since: datetime) -> list[Recent]:
    """Ongoing and pending ones first, then those that worked, then those that failed; the newest of each first."""
    activity = TaskGroupActivity
    order = case({"ongoing": 0, "pending": 1, "OK": 2, "failed": 3}, value=activity.status)
    statement = (
        select(
            activity.id,
            User.email,
            activity.action,
            activity.pkg_name,
            activity.version,
            activity.status,
            activity.timestamp_started,
            activity.timestamp_ended,
        )
        .join(User, User.id == activity.user_id)
        .where(or_(activity.status.in_(OPEN_ACTIVITIES), activity.timestamp_ended >= since))
        .order_by(order, activity.timestamp_started.desc())
    )
    return [
        Recent(row[0], row[1], (row[2], f"{row[3]} {row[4]}"), row[5], row[6], row[7])
        for row in await session.execute(statement)
    ]
