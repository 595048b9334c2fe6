"""`/workflow-template/`: versioned, shareable exports of workflows."""

from typing import Any

from fastapi import APIRouter, HTTPException
from fractal_common import REFERENCE_VERSION
from fractal_common.database.base import utcnow
from fractal_common.database.models import Workflow, WorkflowTemplate
from fractal_common.http.pagination import Pagination

from fractal_jobs.api import access
from fractal_jobs.api.access import MAX_ID, READ, PathId, known
from fractal_jobs.api.principals import Data, Guest, Principal, Writer
from fractal_jobs.api.schemas.templates import (
    TemplatePage,
    WorkflowTemplateCreate,
    WorkflowTemplateExport,
    WorkflowTemplateImport,
    WorkflowTemplateRead,
    WorkflowTemplateUpdate,
)
from fractal_jobs.api.schemas.workflowexport import WorkflowExport, WorkflowImport
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.api.workflowimport import exported
from fractal_jobs.queries import templates

router = APIRouter(prefix="/workflow-template")


@router.get("/", response_model=TemplatePage)
async def list_templates(
    principal: Guest,
    data: Data,
    pagination: Pagination,
    template_id: int | None = None,
    is_owner: bool = False,
    user_email: str | None = None,
    name: str | None = None,
    version: int | None = None,
) -> object:
    filters = {
        "template_id": None if template_id is None else known(template_id),
        "is_owner": is_owner,
        "user_email": user_email,
        "name": name,
        "version": None if version is None else known(version),
    }
    async with data.readers.connect() as connection:
        total, groups = await templates.page(
            connection, principal.id, filters, offset=pagination.offset, limit=pagination.page_size
        )
        owners = await templates.owners(connection, principal.id)
    return {
        "current_page": pagination.page,
        "page_size": pagination.page_size or total,
        "total_count": total,
        "items": [
            {
                "user_email": email,
                "template_name": template_name,
                "templates": [
                    {"template_id": member_id, "template_version": member_version}
                    for member_id, member_version in zip(ids, versions, strict=True)
                ],
            }
            for email, template_name, ids, versions, _ in groups
        ],
        "email_list": owners,
    }


@router.get("/{template_id}/", response_model=WorkflowTemplateRead)
async def read_template(principal: Guest, session: Reading, template_id: PathId) -> object:
    return _read(*await access.template(session, principal, template_id))


@router.get("/{template_id}/export/", response_model=WorkflowTemplateExport)
async def export_template(principal: Guest, session: Reading, template_id: PathId) -> object:
    return (await access.template(session, principal, template_id))[0]


@router.post("/", response_model=WorkflowTemplateRead, status_code=201)
async def create_template(
    principal: Writer,
    session: Session,
    body: WorkflowTemplateCreate,
    workflow_id: int,
    user_group_id: int | None = None,
) -> object:
    workflow = await session.get(Workflow, known(workflow_id))
    if workflow is None:
        raise HTTPException(404, f"Workflow {workflow_id} not found.")
    await access.project(session, principal, workflow.project_id, READ)
    data = await exported(session, workflow)
    if not data.task_list:
        raise HTTPException(422, f"Workflow {workflow_id} has empty `task_list`.")
    await _check_user_group(session, principal, user_group_id)
    await _check_free(session, principal, body)
    return await _add(session, principal, body, data, user_group_id)


@router.post("/import/", response_model=WorkflowTemplateRead, status_code=201)
async def import_template(
    principal: Writer, session: Session, body: WorkflowTemplateImport, user_group_id: int | None = None
) -> object:
    await _check_user_group(session, principal, user_group_id)
    await _check_free(session, principal, body)
    if not body.data.task_list:
        raise HTTPException(422, "Imported template has empty `data.task_list`.")
    return await _add(session, principal, body, _complete(body.data), user_group_id)


@router.patch("/{template_id}/", response_model=WorkflowTemplateRead)
async def update_template(
    principal: Writer, session: Session, template_id: PathId, body: WorkflowTemplateUpdate
) -> object:
    template, email = await access.template(session, principal, template_id, as_owner=True)
    changes = body.model_dump(exclude_unset=True)
    await _check_user_group(session, principal, changes.get("user_group_id"))
    for field, value in changes.items():
        setattr(template, field, value)
    return _read(template, email)


@router.delete("/{template_id}/", status_code=204)
async def delete_template(principal: Writer, session: Session, template_id: PathId) -> None:
    """Workflows that were imported from it stay."""
    template, _ = await access.template(session, principal, template_id, as_owner=True)
    await session.delete(template)


def _read(template: WorkflowTemplate, owner_email: str) -> dict[str, Any]:
    columns = {column.key: getattr(template, column.key) for column in template.__table__.columns}
    return {**columns, "user_email": owner_email}


async def _check_user_group(session: Session, principal: Principal, user_group_id: int | None) -> None:
    """With whom a template is shared: nobody, or a group of the caller's."""
    if user_group_id == 0:
        raise HTTPException(422, "There is no user group with user_group_id=0; leave it out to share with nobody.")
    if user_group_id is not None:
        await access.member_of(session, principal, user_group_id)


async def _check_free(
    session: Session, principal: Principal, body: WorkflowTemplateCreate | WorkflowTemplateImport
) -> None:
    if body.version > MAX_ID:
        raise HTTPException(422, f"version={body.version} is too large: at most {MAX_ID}.")
    if await templates.exists(session, principal.id, body.name, body.version):
        raise _taken(body)


def _taken(body: WorkflowTemplateCreate | WorkflowTemplateImport) -> HTTPException:
    name, version = body.name, body.version
    return HTTPException(422, f"The current user already own a workflow template with {name=} and {version=}.")


def _complete(data: WorkflowImport) -> WorkflowExport:
    """As a template keeps it: every task has a version, which an import need not give."""
    for position, item in enumerate(data.task_list):
        if item.task.version is None:
            raise HTTPException(
                422, f"`data.task_list[{position}].task.version` is missing: a template names the version of each task."
            )
    return WorkflowExport.model_validate(data.model_dump())


async def _add(
    session: Session,
    principal: Principal,
    body: WorkflowTemplateCreate | WorkflowTemplateImport,
    data: WorkflowExport,
    user_group_id: int | None,
) -> dict[str, Any]:
    now = utcnow()
    values: dict[str, Any] = {
        "user_id": principal.id,
        "name": body.name,
        "version": body.version,
        "description": body.description,
        "user_group_id": user_group_id,
        "data": data.model_dump(),
        "fractal_server_version": REFERENCE_VERSION,
        "timestamp_created": now,
        "timestamp_last_used": now,
    }
    template = await templates.add(session, values)
    if template is None:
        raise _taken(body)
    return _read(template, principal.user.email)
