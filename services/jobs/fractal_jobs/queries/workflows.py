"""Workflows and their tasks."""

from collections.abc import Sequence
from functools import cache

from fractal_common.database.models import Project, Task, TaskGroup, Workflow, WorkflowTask
from sqlalchemy import Row, Select, and_, case, exists, literal, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from fractal_jobs.queries import documents, projects
from fractal_jobs.queries.access import PROJECT, is_member
from fractal_jobs.queries.tasks import FIELDS

NO_ACCESS = "Current user has no access to this task."
NOT_ACTIVE = "Task is not active."

TaskRow = tuple[WorkflowTask, Task, str | None]


TASK_FIELDS = (
    *("id", "workflow_id", "order", "meta_non_parallel", "meta_parallel", "args_non_parallel", "args_parallel"),
    *("type_filters", "task_type", "task_id", "alias", "description"),
)
"""Of a workflow task, what lists show beside the task itself."""


async def list_of(connection: AsyncConnection, project_id: int) -> Sequence[str]:
    """JSON texts of the project's workflows with their tasks."""
    return await documents.read(connection, _list_of(), {"project_id": project_id})


@cache
def _list_of() -> Select[str]:
    task = (
        select(*(Task.__table__.c[name] for name in FIELDS))
        .where(Task.id == WorkflowTask.task_id)
        .correlate(WorkflowTask)
    )
    tasks = (
        select(*(WorkflowTask.__table__.c[name] for name in TASK_FIELDS), documents.one(task).label("task"))
        .where(WorkflowTask.workflow_id == Workflow.id)
        .order_by(WorkflowTask.order)
        .correlate(Workflow)
    )
    project = select(*projects.fields()).where(Project.id == Workflow.project_id).correlate(Workflow)
    return documents.documents(
        select(
            *Workflow.__table__.c,
            documents.one(project).label("project"),
            documents.many(tasks).label("task_list"),
        )
        .where(Workflow.project_id == PROJECT)
        .order_by(Workflow.is_starred.desc(), Workflow.name)
    )


async def has_name(session: AsyncSession, project_id: int, name: str) -> bool:
    """The answer holds until the end of the transaction: names of one project are given one after the other."""
    await session.execute(select(Project.id).where(Project.id == project_id).with_for_update(key_share=True))
    return bool(await session.scalar(select(exists().where(Workflow.project_id == project_id, Workflow.name == name))))


async def tasks(session: AsyncSession, workflow_id: int, user_id: int, resource_id: int | None) -> list[TaskRow]:
    """Workflow tasks in order, with their tasks and a warning for this user."""
    may_read = or_(
        TaskGroup.user_id == user_id,
        and_(is_member(user_id, TaskGroup.user_group_id), TaskGroup.resource_id == resource_id),
    )
    warning = case((~may_read, literal(NO_ACCESS)), (TaskGroup.active.is_(False), literal(NOT_ACTIVE)))
    statement = (
        select(WorkflowTask, warning)
        .join(Task, Task.id == WorkflowTask.task_id)
        .join(TaskGroup, TaskGroup.id == Task.taskgroupv2_id)
        .where(WorkflowTask.workflow_id == workflow_id)
        .order_by(WorkflowTask.order)
    )
    rows = (await session.execute(statement)).all()
    # Each task once: its schemas are long, and a workflow may have it many times.
    task_ids = {row[0].task_id for row in rows}
    known = {task.id: task for task in await session.scalars(select(Task).where(Task.id.in_(task_ids)))}
    # Unless it was replaced and its task deleted between the two statements.
    return [(one, known[one.task_id], said) for one, said in rows if one.task_id in known]


async def tasks_by_name(session: AsyncSession, workflow_id: int) -> Sequence[Row[WorkflowTask, str, str, str]]:
    """Workflow tasks in order, each with the name of its task and with the package and version of that."""
    statement = (
        select(WorkflowTask, Task.name, TaskGroup.pkg_name, TaskGroup.version)
        .join(Task, Task.id == WorkflowTask.task_id)
        .join(TaskGroup, TaskGroup.id == Task.taskgroupv2_id)
        .where(WorkflowTask.workflow_id == workflow_id)
        .order_by(WorkflowTask.order)
    )
    return (await session.execute(statement)).all()


REORDER = text(
    """
    UPDATE jobs.workflowtaskv2 AS task SET "order" = v.position - 1
    FROM unnest(CAST(:ids AS int[])) WITH ORDINALITY AS v(id, position)
    WHERE task.id = v.id AND task.workflow_id = :workflow_id
    """
)


async def reorder(session: AsyncSession, workflow_id: int, ids: Sequence[int]) -> None:
    """`ids` are all tasks of the workflow, in their new order."""
    await session.flush()
    await session.execute(REORDER, {"workflow_id": workflow_id, "ids": list(ids)})
    session.expire_all()


async def ordered_ids(session: AsyncSession, workflow_id: int) -> list[int]:
    statement = select(WorkflowTask.id).where(WorkflowTask.workflow_id == workflow_id).order_by(WorkflowTask.order)
    return list(await session.scalars(statement))


async def task_name(session: AsyncSession, workflowtask_id: int) -> str | None:
    """Name of the task that the workflow task has now."""
    statement = select(Task.name).join(WorkflowTask, WorkflowTask.task_id == Task.id)
    return await session.scalar(statement.where(WorkflowTask.id == workflowtask_id))


async def before(session: AsyncSession, workflow_task: WorkflowTask) -> tuple[WorkflowTask, Task] | None:
    """The workflow task just before this one, with its task; None for the first."""
    statement = (
        select(WorkflowTask, Task)
        .join(Task, Task.id == WorkflowTask.task_id)
        .where(
            WorkflowTask.workflow_id == workflow_task.workflow_id, WorkflowTask.order == (workflow_task.order or 0) - 1
        )
    )
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1])
