"""Resources (where work runs) and profiles (as whom)."""

from sqlalchemy import ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from fractal_common.database.base import Base, Created, IntPk, JsonObject

SCHEMA = {"schema": "jobs"}


class Resource(Base):
    """One compute target. Its id is the `<resource>` token of message subjects."""

    __tablename__ = "resource"
    __table_args__ = SCHEMA

    id: Mapped[IntPk]
    name: Mapped[str] = mapped_column(unique=True)
    type: Mapped[str]
    prevent_new_submissions: Mapped[bool] = mapped_column(server_default=text("false"))
    timestamp_created: Mapped[Created]
    host: Mapped[str | None]
    jobs_local_dir: Mapped[str]
    jobs_runner_config: Mapped[JsonObject] = mapped_column(server_default=text("'{}'"))
    jobs_slurm_python_worker: Mapped[str | None]
    jobs_poll_interval: Mapped[int]
    tasks_local_dir: Mapped[str]
    tasks_python_config: Mapped[JsonObject] = mapped_column(server_default=text("'{}'"))
    tasks_pixi_config: Mapped[JsonObject] = mapped_column(server_default=text("'{}'"))


class Profile(Base):
    """How to act on a resource."""

    __tablename__ = "profile"
    __table_args__ = SCHEMA

    id: Mapped[IntPk]
    name: Mapped[str] = mapped_column(unique=True)
    resource_id: Mapped[int] = mapped_column(ForeignKey("jobs.resource.id", ondelete="RESTRICT"), index=True)
    resource_type: Mapped[str]
    username: Mapped[str | None]
    ssh_key_path: Mapped[str | None]
    jobs_remote_dir: Mapped[str | None]
    tasks_remote_dir: Mapped[str | None]
    pixi_cache_dir: Mapped[str | None]
