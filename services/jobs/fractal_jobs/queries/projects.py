"""Projects and datasets."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from fractal_common.database.models import Dataset, Job, Project, ProjectMember, User, Workflow
from sqlalchemy import Boolean, Select, bindparam, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from fractal_jobs.queries import documents, imagesummaries
from fractal_jobs.queries.access import USER


async def list_of(connection: AsyncConnection, user_id: int, *, is_owner: bool) -> Sequence[str]:
    """JSON texts."""
    return await documents.read(connection, _list_of(), {"user_id": user_id, "is_owner": is_owner})


def fields() -> tuple[InstrumentedAttribute[Any], ...]:
    """Of a project, what clients see."""
    return Project.id, Project.name, Project.description, Project.is_starred, Project.timestamp_created


@cache
def _list_of() -> Select[str]:
    return documents.documents(
        select(*fields())
        .join(ProjectMember, ProjectMember.project_id == Project.id)
        .where(
            ProjectMember.user_id == USER,
            ProjectMember.is_owner == bindparam("is_owner", type_=Boolean),
            ProjectMember.is_verified.is_(True),
        )
        .order_by(Project.is_starred.desc(), Project.timestamp_created.desc(), Project.id.desc())
    )


async def owns_name(session: AsyncSession, user_id: int, name: str) -> bool:
    statement = select(
        exists().where(
            ProjectMember.project_id == Project.id,
            ProjectMember.user_id == user_id,
            ProjectMember.is_owner.is_(True),
            Project.name == name,
        )
    )
    return bool(await session.scalar(statement))


async def lock(session: AsyncSession, row: Project | Dataset | Workflow) -> None:
    """Waits for submissions on it that are under way and keeps new ones out, so that `submitted_jobs` stays true."""
    await session.execute(select(type(row).id).where(type(row).id == row.id).with_for_update())


async def hold(session: AsyncSession, project: Project) -> None:
    """The other side of `lock`, for who goes on to refer to parts of the project: these are deleted after it."""
    await session.execute(select(Project.id).where(Project.id == project.id).with_for_update(read=True, key_share=True))


async def submitted_jobs(
    session: AsyncSession,
    *,
    project_id: int | None = None,
    dataset_id: int | None = None,
    workflow_id: int | None = None,
) -> list[int]:
    """Ids of jobs in progress on one of the three."""
    statement = select(Job.id).where(Job.status == "submitted").order_by(Job.id)
    for column, value in ((Job.project_id, project_id), (Job.dataset_id, dataset_id), (Job.workflow_id, workflow_id)):
        if value is not None:
            statement = statement.where(column == value)
    return list(await session.scalars(statement))


async def datasets(session: AsyncSession, project_id: int) -> Sequence[Dataset]:
    statement = (
        select(Dataset)
        .where(Dataset.project_id == project_id)
        .order_by(Dataset.is_starred.desc(), Dataset.name, Dataset.id)
    )
    return list(await session.scalars(statement))


async def datasets_page(
    session: AsyncSession,
    user_id: int,
    *,
    project_name: str | None,
    dataset_name: str | None,
    only_owned: bool,
    offset: int,
    limit: int | None,
) -> tuple[int, list[tuple[Dataset, Project, str, int]]]:
    """Total count, and datasets with project, owner's e-mail and number of images."""
    owner = (
        select(User.email)
        .join(ProjectMember, ProjectMember.user_id == User.id)
        .where(ProjectMember.project_id == Project.id, ProjectMember.is_owner.is_(True))
        .scalar_subquery()
    )
    statement = (
        select(Dataset, Project, owner, imagesummaries.image_count(Dataset.id))
        .join(Project, Project.id == Dataset.project_id)
        .join(ProjectMember, ProjectMember.project_id == Project.id)
        .where(ProjectMember.user_id == user_id, ProjectMember.is_verified.is_(True))
    )
    if only_owned:
        statement = statement.where(ProjectMember.is_owner.is_(True))
    if project_name is not None:
        statement = statement.where(func.lower(Project.name).like(f"%{project_name.lower()}%"))
    if dataset_name is not None:
        statement = statement.where(func.lower(Dataset.name).like(f"%{dataset_name.lower()}%"))
    total = await session.scalar(select(func.count()).select_from(statement.with_only_columns(Dataset.id).subquery()))
    newest = (Dataset.is_starred.desc(), Dataset.timestamp_created.desc(), Dataset.id.desc())
    page = statement.order_by(*newest).offset(offset).limit(limit)
    return total or 0, [(row[0], row[1], row[2], row[3]) for row in await session.execute(page)]
