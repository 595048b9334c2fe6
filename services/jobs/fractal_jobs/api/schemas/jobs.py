"""Jobs and their history."""

from typing import Annotated, Any, Self

from fractal_common.http.pagination import Page
from fractal_common.http.timestamps import IsoTime
from fractal_common.messages import SchedulerEvidence
from fractal_common.types import AttributeFilters, NonEmptyStr, NonNegativeInt, RunStatus, Scalar, TypeFilters
from pydantic import StrictStr, StringConstraints, model_validator

from fractal_jobs.api.schemas.base import Lenient, Read, Strict
from fractal_jobs.api.schemas.projects import SingleImage


class JobCreate(Strict):
    first_task_index: NonNegativeInt | None = None
    last_task_index: NonNegativeInt | None = None
    slurm_account: StrictStr | None = None
    worker_init: Annotated[NonEmptyStr, StringConstraints(strip_whitespace=True)] = ""
    attribute_filters: AttributeFilters = {}
    type_filters: TypeFilters = {}

    @model_validator(mode="after")
    def _range_is_ordered(self) -> Self:
        first, last = self.first_task_index, self.last_task_index
        if first is not None and last is not None and first > last:
            raise ValueError(f"first_task_index={first} cannot be larger than last_task_index={last}")
        return self


class ProjectDump(Strict):
    """What a job remembers of its project, whatever happens to that."""

    id: int
    name: str
    timestamp_created: str


class WorkflowDump(Strict):
    id: int
    name: str
    project_id: int
    timestamp_created: str


class DatasetDump(Lenient):
    id: int
    name: str
    project_id: int
    timestamp_created: str
    zarr_dir: str


class JobRead(Read):
    id: int
    project_id: int | None = None
    project_dump: ProjectDump
    user_email: str
    slurm_account: str | None = None
    workflow_id: int | None = None
    workflow_dump: WorkflowDump
    dataset_id: int | None = None
    dataset_dump: DatasetDump
    start_timestamp: IsoTime
    end_timestamp: IsoTime | None = None
    status: RunStatus
    log: str | None = None
    executor_error_log: str | None = None
    working_dir: str | None = None
    working_dir_user: str | None = None
    first_task_index: int | None = None
    last_task_index: int | None = None
    worker_init: str | None = None
    attribute_filters: dict[str, list[Scalar]]
    type_filters: dict[str, bool]


class JobRetryRead(JobRead):
    retry_of: int


class TaskStatusOnly(Read):
    """Of a task that is about to run on images it has not seen."""

    status: RunStatus


class TaskStatusWithCounts(TaskStatusOnly):
    num_submitted_images: int = 0
    num_done_images: int = 0
    num_failed_images: int = 0
    num_available_images: int | None = 0
    has_warnings: bool = False


class JobReadWithStatuses(JobRead):
    """`task_statuses` has an entry for every task of the workflow, null for those that never ran.

    Of two shapes that fit alike the first is taken: the one without counts.
    """

    task_statuses: dict[str, TaskStatusOnly | TaskStatusWithCounts | None]


class HistoryRunRead(Read):
    id: int
    timestamp_started: IsoTime
    workflowtask_dump: dict[str, Any]
    num_submitted_units: int
    num_done_units: int
    num_failed_units: int
    num_units_with_warnings: int
    args_schema_parallel: dict[str, Any] | None = None
    args_schema_non_parallel: dict[str, Any] | None = None
    version: str | None = None


class HistoryUnitRead(Read):
    id: int
    logfile: str | None = None
    has_warnings: bool
    status: RunStatus
    zarr_urls: list[str]


class ImageWithStatus(SingleImage):
    has_warnings: bool | None = None


class StatusPage(Page[ImageWithStatus]):
    attributes: dict[str, list[Scalar]]
    types: list[str]


class ImageLogRequest(Lenient):
    workflowtask_id: int
    dataset_id: int
    zarr_url: str


class UnitFailure(Read):
    """Why a process failed; memory in KiB, time in seconds."""

    unit_id: int
    run_id: int
    task_name: str
    zarr_urls: list[str]
    logfile: str
    cause: str | None
    exit_code: int | None
    signal: int | None
    exception: str | None
    error: str | None
    max_rss_kb: int | None
    wall_s: float | None
    scheduler: SchedulerEvidence | None
    """What SLURM says of the job that the process ran in, once that is over."""
