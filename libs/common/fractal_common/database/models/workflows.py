"""Workflows, their tasks, and workflow templates."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSON, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fractal_common.database.base import Base, Created, IntPk, JsonObject, PlainJson, utcnow

SCHEMA = {"schema": "jobs"}


class WorkflowTemplate(Base):
    """A versioned, shareable export of a workflow."""

    __tablename__ = "workflowtemplate"

    id: Mapped[IntPk]
    user_id: Mapped[int] = mapped_column(ForeignKey("auth.user_oauth.id"))
    name: Mapped[str]
    version: Mapped[int]
    fractal_server_version: Mapped[str]
    timestamp_created: Mapped[Created]
    timestamp_last_used: Mapped[datetime] = mapped_column(default=utcnow)
    user_group_id: Mapped[int | None] = mapped_column(ForeignKey("auth.usergroup.id", ondelete="SET NULL"))
    description: Mapped[str | None]
    data: Mapped[PlainJson]

    __table_args__ = (
        Index("ix_workflowtemplate_user_name_version_unique_constraint", "user_id", "name", "version", unique=True),
        SCHEMA,
    )


class Workflow(Base):
    """An ordered list of workflow tasks."""

    __tablename__ = "workflowv2"
    __table_args__ = SCHEMA

    id: Mapped[IntPk]
    name: Mapped[str]
    project_id: Mapped[int] = mapped_column(ForeignKey("jobs.projectv2.id", ondelete="CASCADE"), index=True)
    is_starred: Mapped[bool] = mapped_column(server_default=text("false"))
    template_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.workflowtemplate.id", ondelete="SET NULL"))
    timestamp_created: Mapped[Created]
    description: Mapped[str | None]


class WorkflowTask(Base):
    """One step of a workflow; `order` is 0-based and contiguous within the workflow."""

    __tablename__ = "workflowtaskv2"
    __table_args__ = SCHEMA

    id: Mapped[IntPk]
    workflow_id: Mapped[int] = mapped_column(ForeignKey("jobs.workflowv2.id", ondelete="CASCADE"), index=True)
    order: Mapped[int | None]
    meta_parallel: Mapped[JsonObject | None] = mapped_column(JSON(none_as_null=True))
    meta_non_parallel: Mapped[JsonObject | None] = mapped_column(JSON(none_as_null=True))
    args_parallel: Mapped[JsonObject | None]
    args_non_parallel: Mapped[JsonObject | None]
    type_filters: Mapped[dict[str, bool]] = mapped_column(JSONB, default=dict, server_default=text("'{}'"))
    task_type: Mapped[str]
    task_id: Mapped[int] = mapped_column(ForeignKey("jobs.taskv2.id"), index=True)
    alias: Mapped[str | None]
    description: Mapped[str | None]
