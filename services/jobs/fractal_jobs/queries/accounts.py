"""People, as administration looks at them."""

from datetime import datetime
from typing import NamedTuple

from fractal_common.database.models import GroupMember, Job, Profile, User, UserGroup
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession


class Activity(NamedTuple):
    """One person; the fields are named as the columns of the list that superusers get."""

    id: int
    email: str
    slurm_username: str | None
    slurm_accounts: list[str]
    project_dirs: list[str]
    user_groups: list[str]
    num_jobs: int


async def email(session: AsyncSession, user_id: int) -> str | None:
    return await session.scalar(select(User.email).where(User.id == user_id))


async def activity(session: AsyncSession, start_min: datetime | None, start_max: datetime | None) -> list[Activity]:
    """By e-mail, of those with a profile; jobs belong to whoever has the address they were submitted with."""
    counted = select(Job.user_email, func.count().label("jobs")).group_by(Job.user_email)
    if start_min is not None:
        counted = counted.where(Job.start_timestamp >= start_min)
    if start_max is not None:
        counted = counted.where(Job.start_timestamp <= start_max)
    jobs = counted.subquery()
    groups = (
        select(func.array_agg(UserGroup.name))
        .join(GroupMember, GroupMember.group_id == UserGroup.id)
        .where(GroupMember.user_id == User.id)
        .scalar_subquery()
    )
    statement = (
        select(
            User.id,
            User.email,
            Profile.username,
            User.slurm_accounts,
            User.project_dirs,
            func.coalesce(groups, []),
            func.coalesce(jobs.c.jobs, 0),
        )
        .join(Profile, Profile.id == User.profile_id)
        .outerjoin(jobs, jobs.c.user_email == User.email)
        .order_by(User.email)
    )
    return [Activity(*row) for row in await session.execute(statement)]
