"""Jobs of everybody, for administrators."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fractal_common.database.models import Execution, Job, Project, ProjectMember
from fractal_common.http.pagination import PaginationRequest
from sqlalchemy import ColumnElement, Select, exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer, undefer
from sqlalchemy.orm.attributes import set_committed_value

from fractal_jobs.queries.pages import page


@dataclass(frozen=True)
class JobFilters:
    """What jobs to list; None does not filter. The bounds of times are inclusive."""

    id: int | None
    resource_id: int | None
    project_owner_id: int | None
    user_email: str | None
    project_id: int | None
    dataset_id: int | None
    workflow_id: int | None
    status: str | None
    started: tuple[datetime | None, datetime | None]
    ended: tuple[datetime | None, datetime | None]

    def conditions(self) -> list[ColumnElement[bool]]:
        """Those on the job's project leave out the jobs of deleted ones."""
        found: list[ColumnElement[bool]] = []
        for name in ("id", "user_email", "project_id", "dataset_id", "workflow_id", "status"):
            value: Any = getattr(self, name)
            if value is not None:
                found.append(getattr(Job, name) == value)
        for column, (earliest, latest) in ((Job.start_timestamp, self.started), (Job.end_timestamp, self.ended)):
            if earliest is not None:
                found.append(column >= earliest)
            if latest is not None:
                found.append(column <= latest)
        if self.resource_id is not None:
            found.append(exists().where(Project.id == Job.project_id, Project.resource_id == self.resource_id))
        if self.project_owner_id is not None:
            found.append(
                exists().where(
                    ProjectMember.project_id == Job.project_id,
                    ProjectMember.user_id == self.project_owner_id,
                    ProjectMember.is_owner.is_(True),
                )
            )
        return found


async def search(
    session: AsyncSession, filters: JobFilters, pages: PaginationRequest, *, with_log: bool
) -> tuple[int, Sequence[Job]]:
    """Total count, and a page, newest first; logs are not loaded unless they are to be shown."""
    statement: Select[Any] = select(Job).where(*filters.conditions())
    statement = statement.order_by(Job.start_timestamp.desc(), Job.id.desc())
    load = undefer if with_log else defer
    total, rows = await page(session, statement, pages, load(Job.log), undefer(Job.executor_error_log))
    found = [row[0] for row in rows]
    if not with_log:
        for job in found:
            set_committed_value(job, "log", None)
    return total, found


async def read(session: AsyncSession, job_id: int) -> Job | None:
    """As the database has it now, whatever the session saw before."""
    statement = select(Job).where(Job.id == job_id).options(undefer(Job.log), undefer(Job.executor_error_log))
    return await session.scalar(statement.execution_options(populate_existing=True))


async def resource_id(session: AsyncSession, job_id: int) -> int | None:
    """Whose agent has the job's files."""
    return await session.scalar(select(Execution.resource_id).where(Execution.job_id == job_id))
