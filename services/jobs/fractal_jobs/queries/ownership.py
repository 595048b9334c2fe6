"""Projects of everybody with their owners and members, and their transfer, for administrators."""

from collections.abc import Sequence

from fractal_common.database.models import Dataset, Project, ProjectMember, User
from fractal_common.http.pagination import PaginationRequest
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_jobs.queries.pages import AnyRow, contains, page


async def projects(
    session: AsyncSession,
    pages: PaginationRequest,
    *,
    project_id: int | None,
    name: str | None,
    user_email: str | None,
) -> tuple[int, Sequence[AnyRow]]:
    """Total count, and a page of projects with `user_email`, by that and by name."""
    statement = (
        select(
            Project.id,
            Project.name,
            Project.description,
            Project.is_starred,
            Project.timestamp_created,
            User.email.label("user_email"),
        )
        .join(ProjectMember, ProjectMember.project_id == Project.id)
        .join(User, User.id == ProjectMember.user_id)
        .where(ProjectMember.is_owner.is_(True))
        .order_by(User.email, Project.name, Project.id)
    )
    if project_id is not None:
        statement = statement.where(Project.id == project_id)
    if name is not None:
        statement = statement.where(contains(Project.name, name))
    if user_email is not None:
        statement = statement.where(User.email == user_email)
    return await page(session, statement, pages)


async def members(
    session: AsyncSession,
    pages: PaginationRequest,
    *,
    user_id: int | None,
    project_id: int | None,
    project_name: str | None,
    is_owner: bool | None,
    is_verified: bool | None,
) -> tuple[int, Sequence[AnyRow]]:
    """Total count, and a page of all links of users to projects, by e-mail and project name."""
    statement = (
        select(
            ProjectMember.user_id,
            User.email.label("user_email"),
            ProjectMember.project_id,
            Project.name.label("project_name"),
            ProjectMember.is_verified,
            ProjectMember.is_owner,
            ProjectMember.permissions,
        )
        .join(Project, Project.id == ProjectMember.project_id)
        .join(User, User.id == ProjectMember.user_id)
        .order_by(User.email, Project.name, Project.id)
    )
    for column, value in (
        (ProjectMember.user_id, user_id),
        (ProjectMember.project_id, project_id),
        (ProjectMember.is_owner, is_owner),
        (ProjectMember.is_verified, is_verified),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if project_name is not None:
        statement = statement.where(contains(Project.name, project_name))
    return await page(session, statement, pages)


async def lock_owner(session: AsyncSession, project_id: int) -> tuple[Project, int] | None:
    """The project and its owner's id, who stays the owner until the end of the transaction."""
    statement = (
        select(Project, ProjectMember)
        .join(ProjectMember, ProjectMember.project_id == Project.id)
        .where(Project.id == project_id, ProjectMember.is_owner.is_(True))
        .with_for_update(of=ProjectMember)
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1].user_id)


async def zarr_dirs(session: AsyncSession, project_id: int) -> Sequence[str]:
    statement = select(Dataset.zarr_dir).where(Dataset.project_id == project_id).order_by(Dataset.id)
    return list(await session.scalars(statement))


async def transfer(session: AsyncSession, project_id: int, old_owner: int, new_owner: int) -> None:
    """The old owner keeps nothing; the new one's link as a guest, if any, becomes that of the owner."""
    await session.execute(
        delete(ProjectMember).where(ProjectMember.project_id == project_id, ProjectMember.user_id == new_owner)
    )
    await session.execute(
        update(ProjectMember)
        .where(ProjectMember.project_id == project_id, ProjectMember.user_id == old_owner)
        .values(user_id=new_owner)
    )
