"""Workflow templates; lists never load what a template holds."""

from collections.abc import Sequence
from typing import Any

from fractal_common.database.base import IntPk
from fractal_common.database.models import User, WorkflowTemplate
from sqlalchemy import ColumnElement, Row, Select, func, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_jobs.queries.access import is_member


def readable(user_id: int) -> ColumnElement[bool]:
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


def _selected(user_id: int, filters: dict[str, Any]) -> Select[str, str, Sequence[IntPk], Sequence[IntPk]]:
    """Groups of the readable templates that pass the filters."""
    statement = (
        select(
            User.email,
            WorkflowTemplate.name,
            func.array_agg(aggregate_order_by(WorkflowTemplate.id, WorkflowTemplate.version.desc())),
            func.array_agg(aggregate_order_by(WorkflowTemplate.version, WorkflowTemplate.version.desc())),
        )
        .join(User, User.id == WorkflowTemplate.user_id)
        .where(readable(user_id))
        .group_by(WorkflowTemplate.user_id, User.email, WorkflowTemplate.name)
    )
    conditions: dict[str, ColumnElement[bool]] = {
        "template_id": WorkflowTemplate.id == filters["template_id"],
        "is_owner": WorkflowTemplate.user_id == user_id,
        "user_email": User.email == filters["user_email"],
        "name": func.lower(WorkflowTemplate.name).like(f"%{(filters['name'] or '').lower()}%"),
        "version": WorkflowTemplate.version == filters["version"],
    }
    return statement.where(*(condition for name, condition in conditions.items() if filters[name]))


async def page(
    session: AsyncSession, user_id: int, filters: dict[str, Any], *, offset: int, limit: int | None
) -> tuple[int, Sequence[Row[str, str, Sequence[IntPk], Sequence[IntPk]]]]:
    """Number of groups, and some of them: owner's e-mail, name, ids and versions (newest first) of their templates.

    Groups are those templates that one user gave one name; the user's own come first. `filters` has template_id,
    is_owner, user_email, name (part of it) and version, each without effect if falsy.
    """
    groups = _selected(user_id, filters)
    total = await session.scalar(select(func.count()).select_from(groups.subquery()))
    ordered = groups.order_by((WorkflowTemplate.user_id == user_id).desc(), User.email, WorkflowTemplate.name)
    return total or 0, (await session.execute(ordered.offset(offset).limit(limit))).all()


async def owners(session: AsyncSession, user_id: int) -> Sequence[str]:
    """E-mails of the owners of all readable templates."""
    statement = (
        select(User.email)
        .join(WorkflowTemplate, WorkflowTemplate.user_id == User.id)
        .where(readable(user_id))
        .distinct()
        .order_by(User.email)
    )
    return (await session.scalars(statement)).all()


async def exists(session: AsyncSession, user_id: int, name: str, version: int) -> bool:
    statement = select(WorkflowTemplate.id).where(
        WorkflowTemplate.user_id == user_id, WorkflowTemplate.name == name, WorkflowTemplate.version == version
    )
    return await session.scalar(statement) is not None


async def add(session: AsyncSession, values: dict[str, Any]) -> WorkflowTemplate | None:
    """None if the user has one of this name and version, be it since a moment ago."""
    statement = insert(WorkflowTemplate).values(**values).on_conflict_do_nothing().returning(WorkflowTemplate)
    return await session.scalar(statement)
