"""Tasks, the task groups (environments) that they come from, and what was done to those groups."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSON, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fractal_common.database.base import Base, Created, IntPk, JsonObject, PlainJson, utcnow

SCHEMA = {"schema": "jobs"}


class TaskGroup(Base):
    """An installed package (or one manual task) owned by a user on a resource."""

    __tablename__ = "taskgroupv2"

    id: Mapped[IntPk]
    user_id: Mapped[int] = mapped_column(ForeignKey("auth.user_oauth.id"), index=True)
    user_group_id: Mapped[int | None] = mapped_column(ForeignKey("auth.usergroup.id", ondelete="SET NULL"), index=True)
    resource_id: Mapped[int] = mapped_column(ForeignKey("jobs.resource.id", ondelete="RESTRICT"), index=True)
    origin: Mapped[str]
    pkg_name: Mapped[str]
    version: Mapped[str]
    python_version: Mapped[str | None]
    pixi_version: Mapped[str | None]
    path: Mapped[str | None]
    venv_path: Mapped[str | None]
    archive_path: Mapped[str | None]
    pip_extras: Mapped[str | None]
    env_info: Mapped[str | None] = mapped_column(deferred=True)
    pinned_package_versions_pre: Mapped[dict[str, str] | None] = mapped_column(
        JSONB(none_as_null=True), server_default=text("'{}'")
    )
    pinned_package_versions_post: Mapped[dict[str, str] | None] = mapped_column(
        JSONB(none_as_null=True), server_default=text("'{}'")
    )
    active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    timestamp_created: Mapped[Created]
    timestamp_last_used: Mapped[datetime] = mapped_column(default=utcnow, server_default=text("now()"))

    __table_args__ = (
        Index("ix_taskgroupv2_path_unique_constraint", "path", "resource_id", unique=True),
        SCHEMA,
    )


class Task(Base):
    """One executable (or pair of executables) of a task group."""

    __tablename__ = "taskv2"

    id: Mapped[IntPk]
    name: Mapped[str]
    type: Mapped[str]
    version: Mapped[str]
    command_non_parallel: Mapped[str | None]
    command_parallel: Mapped[str | None]
    meta_non_parallel: Mapped[PlainJson] = mapped_column(server_default=text("'{}'"))
    meta_parallel: Mapped[PlainJson] = mapped_column(server_default=text("'{}'"))
    args_schema_non_parallel: Mapped[JsonObject | None] = mapped_column(JSON(none_as_null=True))
    args_schema_parallel: Mapped[JsonObject | None] = mapped_column(JSON(none_as_null=True))
    args_schema_version: Mapped[str | None]
    docs_info: Mapped[str | None]
    docs_link: Mapped[str | None]
    category: Mapped[str | None]
    modality: Mapped[str | None]
    authors: Mapped[str | None]
    input_types: Mapped[dict[str, bool]] = mapped_column(JSONB, default=dict, server_default=text("'{}'"))
    output_types: Mapped[dict[str, bool]] = mapped_column(JSONB, default=dict, server_default=text("'{}'"))
    tags: Mapped[list[Any]] = mapped_column(JSONB, default=list, server_default=text("'[]'"))
    is_core: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    taskgroupv2_id: Mapped[int] = mapped_column(ForeignKey("jobs.taskgroupv2.id"), index=True)

    __table_args__ = (
        Index("ix_taskv2_one_task_name_per_task_group", "name", "taskgroupv2_id", unique=True),
        SCHEMA,
    )


class TaskGroupActivity(Base):
    """One action on a task group: collect, deactivate, reactivate, delete, reset."""

    __tablename__ = "taskgroupactivityv2"

    id: Mapped[IntPk]
    user_id: Mapped[int] = mapped_column(ForeignKey("auth.user_oauth.id"), index=True)
    taskgroupv2_id: Mapped[int | None] = mapped_column(
        ForeignKey("jobs.taskgroupv2.id", ondelete="SET NULL"), index=True
    )
    timestamp_started: Mapped[datetime] = mapped_column(default=utcnow)
    timestamp_ended: Mapped[datetime | None]
    pkg_name: Mapped[str]
    version: Mapped[str]
    status: Mapped[str]
    action: Mapped[str]
    log: Mapped[str | None]
    fractal_server_version: Mapped[str]
    resource_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.resource.id", ondelete="SET NULL"))
    """Whose agent does the work (not on the wire)."""
    command: Mapped[JsonObject | None]
    """Fields of the `environment.*` command, so that it can be published again at any time (not on the wire)."""
    log_sequence: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Number of the newest progress event applied; older ones are ignored (not on the wire)."""

    __table_args__ = (
        Index(
            "ix_taskgroupactivityv2_collect_unique_constraint",
            "taskgroupv2_id",
            unique=True,
            postgresql_where=text("action = 'collect'"),
        ),
        Index(
            "ix_taskgroupactivityv2_open",
            "id",
            postgresql_where=text("status IN ('pending', 'ongoing')"),
        ),
        SCHEMA,
    )


class PackageArchive(Base):
    """An uploaded wheel (or tar.gz), kept while its activity runs so that a lost bus loses nothing."""

    __tablename__ = "packagearchive"
    __table_args__ = SCHEMA

    activity_id: Mapped[int] = mapped_column(
        ForeignKey("jobs.taskgroupactivityv2.id", ondelete="CASCADE"), primary_key=True
    )
    filename: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
