"""`/workflow/import/`, `/workflow/{id}/export/`: workflows from and to files."""

from typing import Any

from fastapi import APIRouter, HTTPException
from fractal_common.database.base import utcnow
from fractal_common.database.models import Project, Task, Workflow
from fractal_common.http.errors import DetailWithData
from pydantic import ValidationError

from fractal_jobs.api import access
from fractal_jobs.api.access import READ, WRITE, PathId
from fractal_jobs.api.principals import Guest, Principal, Writer
from fractal_jobs.api.schemas.workflowexport import (
    TaskExport,
    TaskImport,
    WorkflowExport,
    WorkflowImport,
    WorkflowImportFromTemplate,
    WorkflowTaskExport,
)
from fractal_jobs.api.schemas.workflows import WorkflowReadWithWarnings
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.api.workflows import check_name, merged_filters, with_warnings
from fractal_jobs.api.workflowtasks import new_workflow_task
from fractal_jobs.domain.candidates import available, choose
from fractal_jobs.queries import candidates, workflows

router = APIRouter(prefix="/project/{project_id}/workflow")


@router.get("/{workflow_id}/export/", response_model=WorkflowExport)
async def export_workflow(principal: Guest, session: Reading, project_id: PathId, workflow_id: PathId) -> object:
    _, workflow = await access.workflow(session, principal, project_id, workflow_id, READ)
    return await exported(session, workflow)


@router.post("/import/", response_model=WorkflowReadWithWarnings, status_code=201)
async def import_workflow(principal: Writer, session: Session, project_id: PathId, body: WorkflowImport) -> object:
    project, _ = await access.project(session, principal, project_id, WRITE)
    workflow = await imported(session, principal, project, body)
    return await with_warnings(session, principal, project, workflow)


@router.post("/import-from-template/", response_model=WorkflowReadWithWarnings, status_code=201)
async def import_workflow_from_template(
    principal: Writer, session: Session, project_id: PathId, template_id: int, body: WorkflowImportFromTemplate
) -> object:
    template, _ = await access.template(session, principal, template_id)
    try:
        data = WorkflowImport.model_validate(template.data).with_versions(body.override_versions)
    except IndexError:
        raise HTTPException(422, "Task index out of bound in `override_versions`.") from None
    except ValidationError as error:
        raise HTTPException(422, f"WorkflowTemplate[{template.id}] cannot be imported: {error}") from None
    data.name = body.name or data.name
    project, _ = await access.project(session, principal, project_id, WRITE)
    workflow = await imported(session, principal, project, data, template_id=template.id)
    template.timestamp_last_used = utcnow()
    return await with_warnings(session, principal, project, workflow)


async def exported(session: Session, workflow: Workflow) -> WorkflowExport:
    """The workflow as it is now, with its tasks by name; whether the caller sees those does not matter."""
    rows = await workflows.tasks_by_name(session, workflow.id)
    return WorkflowExport(
        name=workflow.name,
        description=workflow.description,
        task_list=[
            WorkflowTaskExport(
                meta_non_parallel=row.meta_non_parallel,
                meta_parallel=row.meta_parallel,
                args_non_parallel=row.args_non_parallel,
                args_parallel=row.args_parallel,
                type_filters=row.type_filters,
                description=row.description,
                alias=row.alias,
                task=TaskExport(pkg_name=pkg_name, version=version, name=name),
            )
            for row, name, pkg_name, version in rows
        ],
    )


async def imported(
    session: Session, principal: Principal, project: Project, body: WorkflowImport, *, template_id: int | None = None
) -> Workflow:
    """A new workflow; tasks are those that the caller sees, active or not.

    Raises:
        HTTPException: 422 for a taken name or filters that contradict a task's types.
        DetailWithData: 422 if some tasks were not found; its data say for every task what was, in order.
    """
    await check_name(session, project.id, body.name)
    found = await _resolve(session, principal, [item.task for item in body.task_list])
    for item, task in zip(body.task_list, found, strict=True):
        merged_filters(task, item.type_filters or {})
    workflow = Workflow(
        name=body.name,
        description=body.description,
        project_id=project.id,
        template_id=template_id,
        is_starred=False,
    )
    session.add(workflow)
    await session.flush()
    for order, (item, task) in enumerate(zip(body.task_list, found, strict=True)):
        session.add(new_workflow_task(workflow.id, task, item, order=order))
    return workflow


async def _resolve(session: Session, principal: Principal, named: list[TaskImport]) -> list[Task]:
    default_group_id = await access.default_group(session)
    visible = await candidates.of_packages(
        session,
        [(item.pkg_name, item.name) for item in named],
        user_id=principal.id,
        resource_id=principal.resource_id,
        default_group_id=default_group_id,
    )
    chosen = [choose(visible[item.pkg_name, item.name], item.version) for item in named]
    ids = [candidate.task_id for candidate in chosen if candidate is not None]
    if len(ids) < len(named):
        outcomes: list[dict[str, Any]] = []
        for item, candidate in zip(named, chosen, strict=True):
            outcome = {"pkg_name": item.pkg_name, "version": item.version, "task_name": item.name}
            if candidate is None:
                others = available(visible[item.pkg_name, item.name], item.version)
                outcomes.append({"outcome": "fail", **outcome, "available_tasks": others})
            else:
                outcomes.append({"outcome": "success", **outcome, "task_id": candidate.task_id})
        raise DetailWithData(422, outcomes)
    tasks = await candidates.tasks(session, ids)
    if len(tasks) < len(set(ids)):
        raise HTTPException(422, "Some of the tasks were deleted meanwhile.")
    return [tasks[task_id] for task_id in ids]
