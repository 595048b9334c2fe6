"""Task groups as a user's list shows them."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from fractal_common.database.models import Task, TaskGroup, User
from sqlalchemy import TEXT, Select, cast, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from fractal_jobs.queries import documents
from fractal_jobs.queries.access import RESOURCE, USER, visible_groups
from fractal_jobs.queries.candidates import shared_since
from fractal_jobs.queries.tasks import SLIM_FIELDS, in_use

GROUP_FIELDS = (
    *("id", "user_group_id", "origin", "pkg_name", "version", "python_version", "pixi_version", "path", "venv_path"),
    *("archive_path", "pip_extras", "active", "timestamp_created", "timestamp_last_used"),
)


@dataclass(frozen=True)
class VisibleGroup:
    """What decides which of the groups of one package and version is shown, and what is shown of it (JSON)."""

    user_id: int
    user_group_id: int | None
    pkg_name: str
    version: str
    shared_since: datetime | None
    document: str


async def visible(
    connection: AsyncConnection, user_id: int, resource_id: int | None, *, only_active: bool, only_owner: bool
) -> list[VisibleGroup]:
    """By name of the package, in the database's order of names."""
    statement = _visible(only_active, only_owner)
    rows = await connection.execute(statement, {"user_id": user_id, "resource_id": resource_id})
    return [VisibleGroup(*row) for row in rows]


@cache
def _visible(only_active: bool, only_owner: bool) -> "Select[*tuple[Any, ...]]":
    members = (
        select(*(Task.__table__.c[name] for name in SLIM_FIELDS))
        .where(Task.taskgroupv2_id == TaskGroup.id)
        .order_by(Task.id)
        .correlate(TaskGroup)
    )
    pins = (TaskGroup.pinned_package_versions_pre, TaskGroup.pinned_package_versions_post)
    shown = select(
        *(TaskGroup.__table__.c[name] for name in GROUP_FIELDS),
        *(func.coalesce(each, text("'{}'::jsonb")).label(each.key) for each in pins),
        User.email.label("user_email"),
        in_use().label("in_use"),
        documents.many(members).label("task_list"),
    ).correlate(TaskGroup, User)
    statement = (
        visible_groups(USER, RESOURCE)
        .with_only_columns(
            TaskGroup.user_id,
            TaskGroup.user_group_id,
            TaskGroup.pkg_name,
            TaskGroup.version,
            shared_since(USER),
            cast(documents.one(shown), TEXT),
        )
        .join(User, User.id == TaskGroup.user_id)
        .order_by(TaskGroup.pkg_name, TaskGroup.id)
    )
    if only_active:
        statement = statement.where(TaskGroup.active.is_(True))
    if only_owner:
        statement = statement.where(TaskGroup.user_id == USER)
    return statement
