"""What only administrators send and see."""

from typing import Annotated, Any, cast

from fractal_common.http.timestamps import IsoTime
from fractal_common.types import NonEmptyStr, PythonVersion, RunStatus
from pydantic import AwareDatetime, BeforeValidator, EmailStr, Field, Json

from fractal_jobs.api.schemas.base import Lenient, Read, Strict
from fractal_jobs.api.schemas.projects import ProjectRead
from fractal_jobs.api.schemas.tasks import TaskGroupRead


class JobUpdate(Strict):
    status: RunStatus


class ProjectReadSuperuser(ProjectRead):
    user_email: str


class LinkUserProjectRead(Read):
    user_id: int
    user_email: str
    project_id: int
    project_name: str
    is_verified: bool
    is_owner: bool
    permissions: str


class AccountingQuery(Lenient):
    user_id: int | None = None
    timestamp_min: AwareDatetime | None = None
    timestamp_max: AwareDatetime | None = None
    fractal_job_id: int | None = None


class AccountingQuerySlurm(AccountingQuery):
    resource_id: int | None = None


class AccountingRecordRead(Read):
    id: int
    user_id: int
    timestamp: IsoTime
    num_tasks: int
    num_new_images: int


class TaskMinimal(Read):
    id: int
    name: str
    type: str
    is_core: bool
    taskgroupv2_id: int
    command_non_parallel: str | None = None
    command_parallel: str | None = None
    version: str
    pkg_name: str
    active: bool
    owner: EmailStr
    user_group: str | None = None


class ProjectUser(Read):
    id: int
    email: EmailStr


class TaskRelationship(Read):
    """A workflow task that uses a task."""

    workflow_id: int
    workflow_name: str
    project_id: int
    project_name: str
    project_users: list[ProjectUser] = Field(default_factory=list[ProjectUser])


class TaskInfo(Read):
    task: TaskMinimal
    relationships: list[TaskRelationship]


class TaskGroupReadSuperuser(TaskGroupRead):
    user_id: int
    resource_id: int


def _distinct_keys(value: Any) -> Any:
    """Keys that would be the same without their blanks are a mistake; anything but an object is left to the type."""
    if isinstance(value, dict):
        keys = [str(key).strip() for key in cast("dict[Any, Any]", value)]
        if len(set(keys)) != len(keys):
            raise ValueError(f"Dictionary contains multiple identical keys: '{value}'.")
    return cast("Any", value)


Pins = Annotated[dict[NonEmptyStr, NonEmptyStr], BeforeValidator(_distinct_keys)]


class TaskGroupOverridesPip(Strict):
    """What a reset changes: pins always, the others if given."""

    pip_extras: str | None = None
    python_version: PythonVersion | None = None
    pinned_package_versions_pre: Json[Pins] = Field(default_factory=dict[str, str])
    pinned_package_versions_post: Json[Pins] = Field(default_factory=dict[str, str])


class TaskGroupOverridesPixi(Strict):
    use_pixi_lockfile: bool = False
