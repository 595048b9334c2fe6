"""Members of projects: owners, guests, and those who are invited."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from fractal_common.database.models import Project, ProjectMember, User
from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from fractal_jobs.queries import documents
from fractal_jobs.queries.access import PROJECT, USER, Id


def _owner_email() -> ScalarSelect[str]:
    """E-mail of the owner of an enclosing statement's Project."""
    return (
        select(User.email)
        .join(ProjectMember, ProjectMember.user_id == User.id)
        .where(ProjectMember.project_id == Project.id, ProjectMember.is_owner.is_(True))
        .correlate(Project)
        .scalar_subquery()
    )


def _owns(project_id: Id, user_id: Id) -> ColumnElement[bool]:
    return exists().where(
        ProjectMember.project_id == project_id, ProjectMember.user_id == user_id, ProjectMember.is_owner.is_(True)
    )


async def is_owner(session: AsyncSession, project_id: int, user_id: int) -> bool:
    return bool(await session.scalar(select(_owns(project_id, user_id))))


async def guests(connection: AsyncConnection, project_id: int, user_id: int) -> list[dict[str, Any]] | None:
    """All but the owner, those who are only invited included; None for who is not the owner."""
    row = (await connection.execute(_guests(), {"project_id": project_id, "user_id": user_id})).one()
    return row[1] if row[0] else None


@cache
def _guests() -> Select[bool, Any]:
    found = (
        select(User.email, ProjectMember.is_verified, ProjectMember.permissions)
        .join(ProjectMember, ProjectMember.user_id == User.id)
        .where(ProjectMember.project_id == PROJECT, ProjectMember.is_owner.is_(False))
        .order_by(User.email)
    )
    return select(_owns(PROJECT, USER), documents.many(found))


async def user_id(session: AsyncSession, email: str) -> int | None:
    return await session.scalar(select(User.id).where(User.email == email))


async def invite(session: AsyncSession, project_id: int, user_id: int, permissions: str) -> bool:
    """False, without any change, if the user is associated to the project already, be it since a moment ago."""
    statement = (
        insert(ProjectMember)
        .values(project_id=project_id, user_id=user_id, is_owner=False, is_verified=False, permissions=permissions)
        .on_conflict_do_nothing()
        .returning(ProjectMember.user_id)
    )
    return await session.scalar(statement) is not None


async def member(session: AsyncSession, project_id: int, user_id: int) -> ProjectMember | None:
    """The link of a user to a project, verified or not, locked until the end of the transaction."""
    statement = select(ProjectMember).where(ProjectMember.project_id == project_id, ProjectMember.user_id == user_id)
    return await session.scalar(statement.with_for_update())


async def access(session: AsyncSession, project_id: int, user_id: int) -> Row[bool, str, str] | None:
    """is_owner, permissions and owner_email, for a user who accepted."""
    statement = (
        select(ProjectMember.is_owner, ProjectMember.permissions, _owner_email().label("owner_email"))
        .join(Project, Project.id == ProjectMember.project_id)
        .where(
            ProjectMember.project_id == project_id,
            ProjectMember.user_id == user_id,
            ProjectMember.is_verified.is_(True),
        )
    )
    return (await session.execute(statement)).one_or_none()


async def invitations(connection: AsyncConnection, user_id: int) -> Sequence[str]:
    """JSON texts of the projects that the user is invited to and has not answered, by name."""
    return await documents.read(connection, _invitations(), {"user_id": user_id})


@cache
def _invitations() -> Select[str]:
    return documents.documents(
        select(
            Project.id.label("project_id"),
            Project.name.label("project_name"),
            _owner_email().label("owner_email"),
            ProjectMember.permissions.label("guest_permissions"),
        )
        .join(ProjectMember, ProjectMember.project_id == Project.id)
        .where(ProjectMember.user_id == USER, ProjectMember.is_verified.is_(False))
        .order_by(Project.name, Project.id)
    )
