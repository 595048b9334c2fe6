"""Jobs and everything that their execution leaves: history, batches, results, accounting."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fractal_common.database.base import Base, IntPk, JsonObject, utcnow

SCHEMA = {"schema": "jobs"}


class Job(Base):
    """One submission of a workflow on a dataset, as the wire shows it."""

    __tablename__ = "jobv2"

    id: Mapped[IntPk]
    project_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.projectv2.id", ondelete="SET NULL"), index=True)
    workflow_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.workflowv2.id", ondelete="SET NULL"), index=True)
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.datasetv2.id", ondelete="SET NULL"), index=True)
    user_email: Mapped[str]
    slurm_account: Mapped[str | None]
    dataset_dump: Mapped[JsonObject]
    workflow_dump: Mapped[JsonObject]
    project_dump: Mapped[JsonObject]
    fractal_server_version: Mapped[str]
    worker_init: Mapped[str | None]
    working_dir: Mapped[str | None]
    working_dir_user: Mapped[str | None]
    first_task_index: Mapped[int]
    last_task_index: Mapped[int]
    start_timestamp: Mapped[datetime] = mapped_column(default=utcnow)
    end_timestamp: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(default="submitted")
    log: Mapped[str | None] = mapped_column(deferred=True)
    executor_error_log: Mapped[str | None] = mapped_column(deferred=True)
    attribute_filters: Mapped[JsonObject] = mapped_column(server_default=text("'{}'"))
    type_filters: Mapped[dict[str, bool]] = mapped_column(JSONB, server_default=text("'{}'"))

    __table_args__ = (
        Index(
            "ix_jobv2_one_submitted_job_per_dataset",
            "dataset_id",
            unique=True,
            postgresql_where=text("status = 'submitted'"),
        ),
        SCHEMA,
    )


class Execution(Base):
    """The engine's state of one submitted job; inserted with the job, and so its durable work order.

    `snapshot` holds what the whole job uses from its start (workflow tasks with arguments, commands and filters);
    `state` is one of `fractal_jobs.domain.states`. A row whose `state` is not final and whose `wake_at` has come
    is looked at by some engine replica under a row lock.
    """

    __tablename__ = "execution"

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.jobv2.id", ondelete="CASCADE"), primary_key=True)
    resource_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.resource.id", ondelete="SET NULL"))
    profile_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.profile.id", ondelete="SET NULL"))
    user_id: Mapped[int]
    cache_dir: Mapped[str | None]
    state: Mapped[str]
    position: Mapped[int] = mapped_column(default=0)
    """Index, within the submitted range, of the task in progress or next to start."""
    run_id: Mapped[int | None] = mapped_column(Integer)
    """History run in progress."""
    current_types: Mapped[dict[str, bool]] = mapped_column(JSONB, server_default=text("'{}'"))
    snapshot: Mapped[JsonObject | None] = mapped_column(deferred=True)
    workflow_log: Mapped[str] = mapped_column(default="", server_default=text("''"), deferred=True)
    stop_requested_at: Mapped[datetime | None]
    retry_of: Mapped[int | None] = mapped_column(ForeignKey("jobs.jobv2.id", ondelete="SET NULL"))
    retry_run_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.historyrun.id", ondelete="SET NULL"))
    """The failed run of that job: of the first task only its failed units run again."""
    wake_at: Mapped[datetime | None] = mapped_column(default=utcnow)
    """When an engine should next look at this job; null: nothing to do until an event arrives."""

    __table_args__ = (
        Index("ix_execution_wake_at", "wake_at", postgresql_where=text("wake_at IS NOT NULL")),
        SCHEMA,
    )


class HistoryRun(Base):
    """One execution of one workflow task in one job."""

    __tablename__ = "historyrun"

    id: Mapped[IntPk]
    dataset_id: Mapped[int] = mapped_column(ForeignKey("jobs.datasetv2.id", ondelete="CASCADE"))
    workflowtask_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.workflowtaskv2.id", ondelete="SET NULL"))
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.jobv2.id"), index=True)
    task_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.taskv2.id", ondelete="SET NULL"))
    workflowtask_dump: Mapped[JsonObject]
    task_group_dump: Mapped[JsonObject]
    timestamp_started: Mapped[datetime] = mapped_column(default=utcnow)
    status: Mapped[str]
    num_available_images: Mapped[int]
    unit_counts: Mapped[JsonObject | None]
    """`submitted`, `done`, `failed` and `warned` units, from when the run is over: its pages need not count again."""

    __table_args__ = (
        Index("ix_historyrun_dataset_id_workflowtask_id", "dataset_id", "workflowtask_id", "id"),
        SCHEMA,
    )


class Batch(Base):
    """Units that go to the cluster together: one SLURM job (or array element) or one local process.

    `name` is deterministic (`job…-task…-par-000000`), so that an agent adopts what it already started.
    `spec` is everything of the `batch.run` command except the units; the relay adds those when it publishes.
    """

    __tablename__ = "batch"

    id: Mapped[IntPk]
    name: Mapped[str] = mapped_column(unique=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.jobv2.id", ondelete="CASCADE"), index=True)
    history_run_id: Mapped[int] = mapped_column(ForeignKey("jobs.historyrun.id", ondelete="CASCADE"), index=True)
    resource_id: Mapped[int] = mapped_column(ForeignKey("jobs.resource.id", ondelete="CASCADE"))
    part: Mapped[str]
    """`non_par` (single process or init part) or `par` (parallel or compute part)."""
    state: Mapped[str] = mapped_column(default="planned")
    """planned → submitted → running → ended."""
    spec: Mapped[JsonObject] = mapped_column(deferred=True)
    handle: Mapped[str | None]
    """The scheduler's id of the batch (SLURM job id, process id)."""
    cause: Mapped[str | None]
    """Why it ended, once it has: COMPLETED, OUT_OF_MEMORY, TIMEOUT, NODE_FAIL, CANCELLED, FAILED …"""
    evidence: Mapped[JsonObject | None] = mapped_column(JSONB(none_as_null=True), deferred=True)
    """What the scheduler said of it when it was over (`SchedulerEvidence`)."""
    remaining: Mapped[int]
    """Units without a recorded result."""
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    heard_at: Mapped[datetime] = mapped_column(default=utcnow)
    """When its agent last said anything about it; silence makes the engine publish the command again."""

    __table_args__ = (
        Index("ix_batch_open", "heard_at", postgresql_where=text("state <> 'ended'")),
        SCHEMA,
    )


class HistoryUnit(Base):
    """One process execution, or the umbrella of a compound task (its init part)."""

    __tablename__ = "historyunit"

    id: Mapped[IntPk]
    history_run_id: Mapped[int] = mapped_column(ForeignKey("jobs.historyrun.id", ondelete="CASCADE"))
    logfile: Mapped[str] = mapped_column(server_default=text("'__LOGFILE_PLACEHOLDER__'"))
    has_warnings: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    status: Mapped[str]
    zarr_urls: Mapped[list[str]] = mapped_column(ARRAY(String()))
    part: Mapped[str]
    index: Mapped[int]
    """Position within its part; file names and merging order derive from it."""
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.batch.id", ondelete="SET NULL"), index=True)

    __table_args__ = (
        Index("ix_historyunit_history_run_id", "history_run_id", "id"),
        UniqueConstraint("history_run_id", "part", "index"),
        SCHEMA,
    )


class UnitInput(Base):
    """What a unit's arguments hold besides those common to its batch (`before` and `after` them)."""

    __tablename__ = "unitinput"
    __table_args__ = SCHEMA

    unit_id: Mapped[int] = mapped_column(ForeignKey("jobs.historyunit.id", ondelete="CASCADE"), primary_key=True)
    before: Mapped[JsonObject]
    after: Mapped[JsonObject]


class UnitResult(Base):
    """What a unit's process did; written once. `output` is the task's raw JSON, validated when the run is merged."""

    __tablename__ = "unitresult"
    __table_args__ = SCHEMA

    unit_id: Mapped[int] = mapped_column(ForeignKey("jobs.historyunit.id", ondelete="CASCADE"), primary_key=True)
    succeeded: Mapped[bool]
    output: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True), deferred=True)
    error: Mapped[str | None] = mapped_column(deferred=True)
    cause: Mapped[str | None]
    exception: Mapped[str | None]
    """Last line of the traceback in its log, if it left one."""
    exit_code: Mapped[int | None]
    signal: Mapped[int | None]
    max_rss_kb: Mapped[int | None] = mapped_column(BigInteger)
    wall_s: Mapped[float | None]
    recorded_at: Mapped[datetime] = mapped_column(default=utcnow, server_default=text("now()"))


class HistoryImageCache(Base):
    """For an image of a dataset and a workflow task: the newest unit that consumed it."""

    __tablename__ = "historyimagecache"

    zarr_url: Mapped[str] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("jobs.datasetv2.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    workflowtask_id: Mapped[int] = mapped_column(
        ForeignKey("jobs.workflowtaskv2.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    latest_history_unit_id: Mapped[int] = mapped_column(
        ForeignKey("jobs.historyunit.id", ondelete="CASCADE"), index=True
    )

    __table_args__ = (SCHEMA,)


class AccountingRecord(Base):
    """Units run and images made by one workflow task."""

    __tablename__ = "accountingrecord"
    __table_args__ = SCHEMA

    id: Mapped[IntPk]
    user_id: Mapped[int] = mapped_column(ForeignKey("auth.user_oauth.id"))
    timestamp: Mapped[datetime] = mapped_column(default=utcnow)
    num_tasks: Mapped[int]
    num_new_images: Mapped[int]


class AccountingRecordSlurm(Base):
    """SLURM jobs of one wave of batches."""

    __tablename__ = "accountingrecordslurm"
    __table_args__ = SCHEMA

    id: Mapped[IntPk]
    user_id: Mapped[int] = mapped_column(ForeignKey("auth.user_oauth.id"))
    timestamp: Mapped[datetime] = mapped_column(default=utcnow)
    slurm_job_ids: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    fractal_job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.jobv2.id"))
    resource_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.resource.id", ondelete="SET NULL"))
    wave: Mapped[str | None] = mapped_column(unique=True)
    """History run and part: what makes the row that of one wave."""
