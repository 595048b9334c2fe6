"""Task groups and activities of everybody, for administrators."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fractal_common.database.models import TaskGroup, TaskGroupActivity, User
from fractal_common.http.pagination import PaginationRequest
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from fractal_jobs.queries.pages import contains, page
from fractal_jobs.queries.tasks import in_use


@dataclass(frozen=True)
class GroupFilters:
    """What groups to list; None does not filter. The bounds of times are inclusive."""

    id: int | None
    user_id: int | None
    user_group_id: int | None
    private: bool | None
    active: bool | None
    pkg_name: str | None
    origin: str | None
    last_used: tuple[datetime | None, datetime | None]
    resource_id: int | None
    in_use: bool | None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        for name in ("id", "user_id", "user_group_id", "active", "origin", "resource_id"):
            value: Any = getattr(self, name)
            if value is not None:
                found.append(getattr(TaskGroup, name) == value)
        if self.private is not None:
            found.append(TaskGroup.user_group_id.is_(None) if self.private else TaskGroup.user_group_id.is_not(None))
        if self.pkg_name is not None:
            found.append(contains(TaskGroup.pkg_name, self.pkg_name))
        earliest, latest = self.last_used
        if earliest is not None:
            found.append(TaskGroup.timestamp_last_used >= earliest)
        if latest is not None:
            found.append(TaskGroup.timestamp_last_used <= latest)
        if self.in_use is not None:
            found.append(in_use() if self.in_use else ~in_use())
        return found


async def search(
    session: AsyncSession, filters: GroupFilters, pages: PaginationRequest
) -> tuple[int, list[tuple[TaskGroup, str, bool]]]:
    """Total count, and a page by id of groups, each with its owner's e-mail and whether it is in use."""
    statement = (
        select(TaskGroup, User.email, in_use())
        .join(User, User.id == TaskGroup.user_id)
        .where(*filters.conditions())
        .order_by(TaskGroup.id)
    )
    total, rows = await page(session, statement, pages)
    return total, [(row[0], row[1], row[2]) for row in rows]


async def read(session: AsyncSession, group_id: int) -> TaskGroup | None:
    return await session.get(TaskGroup, group_id)


async def activities(
    session: AsyncSession, filters: dict[str, Any], pages: PaginationRequest
) -> tuple[int, Sequence[TaskGroupActivity]]:
    """Total count, and a page, newest first.

    `filters` may have id, user_id, taskgroupv2_id, status, action (equal), pkg_name (part of it), started_min.
    """
    statement = select(TaskGroupActivity).order_by(
        TaskGroupActivity.timestamp_started.desc(), TaskGroupActivity.id.desc()
    )
    for name in ("id", "user_id", "taskgroupv2_id", "status", "action"):
        if filters[name] is not None:
            statement = statement.where(getattr(TaskGroupActivity, name) == filters[name])
    if filters["pkg_name"] is not None:
        statement = statement.where(contains(TaskGroupActivity.pkg_name, filters["pkg_name"]))
    if filters["started_min"] is not None:
        statement = statement.where(TaskGroupActivity.timestamp_started >= filters["started_min"])
    total, rows = await page(session, statement, pages, defer(TaskGroupActivity.command))
    return total, [row[0] for row in rows]
