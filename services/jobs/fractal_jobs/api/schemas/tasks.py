"""Tasks, task groups, activities."""

from typing import Annotated, Any

from fractal_common.http.timestamps import IsoTime
from fractal_common.types import (
    ActivityAction,
    ActivityStatus,
    ListUniqueNonEmptyString,
    NonEmptyStr,
    TaskGroupOrigin,
    TaskType,
    TypeFilters,
    validate_cmd,
)
from pydantic import AfterValidator, Field

from fractal_jobs.api.schemas.base import Read, Strict


class TaskReadSlim(Read):
    id: int
    name: str
    version: str
    is_core: bool
    category: str | None = None
    modality: str | None = None
    authors: str | None = None
    tags: list[str]
    input_types: dict[str, bool]
    docs_info: str | None = None
    docs_link: str | None = None


class TaskRead(Read):
    id: int
    name: str
    type: TaskType
    version: str
    is_core: bool
    command_non_parallel: str | None = None
    command_parallel: str | None = None
    meta_parallel: dict[str, Any]
    meta_non_parallel: dict[str, Any]
    args_schema_non_parallel: dict[str, Any] | None = None
    args_schema_parallel: dict[str, Any] | None = None
    args_schema_version: str | None = None
    docs_info: str | None = None
    docs_link: str | None = None
    input_types: dict[str, bool]
    output_types: dict[str, bool]
    taskgroupv2_id: int | None = None
    category: str | None = None
    modality: str | None = None
    authors: str | None = None
    tags: list[str]


Command = Annotated[NonEmptyStr, AfterValidator(validate_cmd)]


class TaskUpdate(Strict):
    command_parallel: Command = ""
    command_non_parallel: Command = ""
    input_types: TypeFilters = {}
    output_types: TypeFilters = {}
    category: NonEmptyStr | None = None
    modality: NonEmptyStr | None = None
    authors: NonEmptyStr | None = None
    tags: ListUniqueNonEmptyString | None = None


class _TaskGroup(Read):
    id: int
    user_email: str
    user_group_id: int | None = None
    origin: TaskGroupOrigin
    pkg_name: str
    version: str
    python_version: str | None = None
    pixi_version: str | None = None
    path: str | None = None
    venv_path: str | None = None
    archive_path: str | None = None
    pip_extras: str | None = None
    pinned_package_versions_pre: dict[str, str] = Field(default_factory=dict)
    pinned_package_versions_post: dict[str, str] = Field(default_factory=dict)
    in_use: bool
    active: bool
    timestamp_created: IsoTime
    timestamp_last_used: IsoTime


class TaskGroupRead(_TaskGroup):
    task_list: list[TaskRead]


class TaskGroupReadSlim(_TaskGroup):
    task_list: list[TaskReadSlim]


class TaskGroupUpdate(Strict):
    user_group_id: int | None = None


class TaskGroupActivityRead(Read):
    id: int
    user_id: int
    taskgroupv2_id: int | None = None
    timestamp_started: IsoTime
    timestamp_ended: IsoTime | None = None
    pkg_name: str
    version: str
    status: ActivityStatus
    action: ActivityAction
    log: str | None = None
