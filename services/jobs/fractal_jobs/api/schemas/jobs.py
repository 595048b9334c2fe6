"""Jobs and their history."""

from typing import Annotated, Any, Self

from fractal_common.http.pagination import Page
from fractal_common.http.timestamps import IsoTime
from fractal_common.types import AttributeFilters, NonEmptyStr, NonNegativeInt, TypeFilters
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


class JobRead(Read):
    id: int
    project_id: int | None = None
    project_dump: dict[str, Any]
    user_email: str
    slurm_account: str | None = None
    workflow_id: int | None = None
    workflow_dump: dict[str, Any]
    dataset_id: int | None = None
    dataset_dump: dict[str, Any]
    start_timestamp: IsoTime
    end_timestamp: IsoTime | None = None
    status: str
    log: str | None = None
    executor_error_log: str | None = None
    working_dir: str | None = None
    working_dir_user: str | None = None
    first_task_index: int | None = None
    last_task_index: int | None = None
    worker_init: str | None = None
    attribute_filters: dict[str, Any]
    type_filters: dict[str, bool]


class JobRetryRead(JobRead):
    retry_of: int


class JobReadWithStatuses(JobRead):
    task_statuses: dict[str, Any]


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
    logfile: str
    has_warnings: bool
    status: str
    zarr_urls: list[str]


class ImageWithStatus(SingleImage):
    has_warnings: bool | None = None


class StatusPage(Page[ImageWithStatus]):
    attributes: dict[str, list[Any]]
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
