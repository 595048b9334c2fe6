"""Workflows and their tasks."""

from typing import Any, Generic, TypeVar

from fractal_common.http.timestamps import IsoTime
from fractal_common.types import (
    DictStrAny,
    JsonObject,
    ListUniqueNonNegativeInt,
    NonEmptyStr,
    TaskType,
    TypeFilters,
    WorkflowTaskArguments,
)
from pydantic import Field

from fractal_jobs.api.schemas.base import Lenient, Read, Strict
from fractal_jobs.api.schemas.projects import ProjectRead
from fractal_jobs.api.schemas.tasks import TaskRead


class WorkflowCreate(Strict):
    name: NonEmptyStr
    description: NonEmptyStr | None = None


class WorkflowUpdate(Strict):
    name: NonEmptyStr = ""
    description: NonEmptyStr | None = None
    reordered_workflowtask_ids: ListUniqueNonNegativeInt | None = None


class WorkflowTaskCreate(Strict):
    task_id: int
    meta_non_parallel: DictStrAny | None = None
    meta_parallel: DictStrAny | None = None
    args_non_parallel: WorkflowTaskArguments | None = None
    args_parallel: WorkflowTaskArguments | None = None
    type_filters: TypeFilters = Field(default_factory=dict)
    description: NonEmptyStr | None = None
    alias: NonEmptyStr | None = None


class WorkflowTaskUpdate(Strict):
    meta_non_parallel: DictStrAny | None = None
    meta_parallel: DictStrAny | None = None
    args_non_parallel: WorkflowTaskArguments | None = None
    args_parallel: WorkflowTaskArguments | None = None
    type_filters: TypeFilters = Field(default_factory=dict)
    description: NonEmptyStr | None = None
    alias: NonEmptyStr | None = None


class WorkflowTaskReplace(Lenient):
    args_non_parallel: JsonObject | None = None
    args_parallel: JsonObject | None = None


class TaskVersionRead(Read):
    task_id: int
    version: str


class WorkflowTaskRead(Read):
    id: int
    workflow_id: int
    order: int | None = None
    meta_non_parallel: dict[str, Any] | None = None
    meta_parallel: dict[str, Any] | None = None
    args_non_parallel: dict[str, Any] | None = None
    args_parallel: dict[str, Any] | None = None
    type_filters: dict[str, bool]
    task_type: TaskType
    task_id: int
    task: TaskRead
    alias: str | None = None
    description: str | None = None


class WorkflowTaskReadWithWarning(WorkflowTaskRead):
    warning: str | None = None


Item = TypeVar("Item")


class _Workflow(Read, Generic[Item]):
    id: int
    name: str
    project_id: int
    is_starred: bool
    task_list: list[Item]
    project: ProjectRead
    timestamp_created: IsoTime
    description: str | None = None
    template_id: int | None = None


class WorkflowRead(_Workflow[WorkflowTaskRead]):
    """Without warnings, as in lists."""


class WorkflowReadWithWarnings(_Workflow[WorkflowTaskReadWithWarning]):
    """With what keeps the caller from running each task."""
