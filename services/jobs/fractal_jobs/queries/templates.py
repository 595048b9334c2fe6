"""Workflow templates; lists never load what a template holds."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from fractal_common.database.models import User, WorkflowTemplate
from sqlalchemy import ColumnElement, Row, Select, String, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from fractal_jobs.queries.access import USER, Id, is_member


def readable(user_id: Id) -> ColumnElement[bool]:
    """The user owns the template, or it is shared with a group of the user."""
    return or_(WorkflowTemplate.user_id == user_id, is_member(user_id, WorkflowTemplate.user_group_id))


async def find(session: AsyncSession, template_id: int, user_id: int) -> tuple[WorkflowTemplate, str, bool] | None:
    """The template, its owner's e-mail, and whether the user may read it."""
    statement = (
        select(WorkflowTemplate, User.email, readable(user_id))
        .join(User, User.id == WorkflowTemplate.user_id)
        .where(WorkflowTemplate.id == template_id)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1], bool(row[2]))


async def page(
    connection: AsyncConnection, user_id: int, filters: dict[str, Any], *, offset: int, limit: int | None
) -> tuple[int, Sequence[Row[*tuple[Any, ...]]]]:
    """Number of groups, and some of them: owner's e-mail, name, ids and versions (newest first) of their templates.

    Groups are those templates that one user gave one name; the user's own come first. `filters` has template_id,
    is_owner, user_email, name (part of it) and version, each without effect if falsy.
    """
    given = {name: value for name, value in filters.items() if value}
    if "name" in given:
        given["name"] = f"%{given['name'].lower()}%"
    values = {"user_id": user_id, **given}
    page = _groups(frozenset(given)).offset(offset).limit(limit)
    rows = (await connection.execute(page, values)).all()
    if rows or not offset:
        return (rows[0].total if rows else 0), rows
    # Beyond the end there is no row to carry the count.
    total = select(func.count()).select_from(_groups(frozenset(given)).subquery())
    return await connection.scalar(total, values) or 0, rows


@cache
def _groups(filters: frozenset[str]) -> "Select[*tuple[Any, ...]]":
    """Groups of the readable templates that pass the filters."""
    statement = (
        select(
            User.email,
            WorkflowTemplate.name,
            func.array_agg(aggregate_order_by(WorkflowTemplate.id, WorkflowTemplate.version.desc())).label("ids"),
            func.array_agg(aggregate_order_by(WorkflowTemplate.version, WorkflowTemplate.version.desc())).label(
                "versions"
            ),
            func.count().over().label("total"),
        )
        .join(User, User.id == WorkflowTemplate.user_id)
        .where(readable(USER))
        .group_by(WorkflowTemplate.user_id, User.email, WorkflowTemplate.name)
        .order_by((WorkflowTemplate.user_id == USER).desc(), User.email, WorkflowTemplate.name)
    )
    conditions: dict[str, ColumnElement[bool]] = {
        "template_id": WorkflowTemplate.id == bindparam("template_id"),
        "is_owner": WorkflowTemplate.user_id == USER,
        "user_email": User.email == bindparam("user_email"),
        "name": func.lower(WorkflowTemplate.name).like(bindparam("name", type_=String)),
        "version": WorkflowTemplate.version == bindparam("version"),
    }
    return statement.where(*(condition for name, condition in conditions.items() if name in filters))


async def owners(connection: AsyncConnection, user_id: int) -> Sequence[str]:
    """E-mails of the owners of all readable templates."""
    return (await connection.scalars(_owners(), {"user_id": user_id})).all()


@cache
def _owners() -> Select[str]:
    return (
        select(User.email)
        .join(WorkflowTemplate, WorkflowTemplate.user_id == User.id)
        .where(readable(USER))
        .distinct()
        .order_by(User.email)
    )


async def exists(session: AsyncSession, user_id: int, name: str, version: int) -> bool:
    statement = select(WorkflowTemplate.id).where(
        WorkflowTemplate.user_id == user_id, WorkflowTemplate.name == name, WorkflowTemplate.version == version
    )
    return await session.scalar(statement) is not None


async def add(session: AsyncSession, values: dict[str, Any]) -> WorkflowTemplate | None:
    """None if the user has one of this name and version, be it since a moment ago."""
    statement = insert(WorkflowTemplate).values(**values).on_conflict_do_nothing().returning(WorkflowTemplate)
    return await session.scalar(statement)
