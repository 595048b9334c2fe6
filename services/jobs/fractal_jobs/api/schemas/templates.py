"""Workflow templates."""

from typing import Annotated

from fractal_common.http.pagination import Page
from fractal_common.http.timestamps import ZuluTime
from fractal_common.types import NonEmptyStr, PositiveInt
from pydantic import WithJsonSchema

from fractal_jobs.api.schemas.base import Lenient, Read
from fractal_jobs.api.schemas.workflowexport import WorkflowExport, WorkflowImport

StoredEmail = Annotated[str, WithJsonSchema({"type": "string", "format": "email"})]
"""Checked when the account was made, not again at every answer."""


class WorkflowTemplateCreate(Lenient):
    name: NonEmptyStr
    version: PositiveInt
    description: NonEmptyStr | None = None


class WorkflowTemplateUpdate(Lenient):
    user_group_id: int | None = None
    description: NonEmptyStr | None = None


class WorkflowTemplateImport(Lenient):
    name: NonEmptyStr
    version: PositiveInt
    description: NonEmptyStr | None = None
    data: WorkflowImport


class WorkflowTemplateRead(Read):
    id: int
    user_email: str
    name: str
    version: int
    timestamp_created: ZuluTime
    timestamp_last_used: ZuluTime
    user_group_id: int | None = None
    description: str | None = None
    data: WorkflowExport
    fractal_server_version: str


class WorkflowTemplateExport(Read):
    name: str
    version: int
    description: str | None = None
    data: WorkflowExport


class WorkflowTemplateGroupMember(Read):
    template_id: int
    template_version: int


class WorkflowTemplateGroup(Read):
    """Templates of one owner and name, newest version first."""

    user_email: str
    template_name: str
    templates: list[WorkflowTemplateGroupMember]


class TemplatePage(Page[WorkflowTemplateGroup]):
    email_list: list[StoredEmail]
