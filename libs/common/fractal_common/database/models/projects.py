"""Projects, their members, datasets and the rows of their image lists."""

from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fractal_common.database.base import Base, Created, IntPk

SCHEMA = {"schema": "jobs"}


class Project(Base):
    """Holds datasets and workflows; bound for ever to the resource of its creator's profile."""

    __tablename__ = "projectv2"
    __table_args__ = SCHEMA

    id: Mapped[IntPk]
    name: Mapped[str]
    is_starred: Mapped[bool] = mapped_column(server_default=text("false"))
    description: Mapped[str | None]
    resource_id: Mapped[int] = mapped_column(ForeignKey("jobs.resource.id", ondelete="RESTRICT"), index=True)
    timestamp_created: Mapped[Created]


class ProjectMember(Base):
    """What a user may do in a project: `r`, `rw` or `rwx`; exactly one member owns it."""

    __tablename__ = "linkuserprojectv2"

    project_id: Mapped[int] = mapped_column(ForeignKey("jobs.projectv2.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("auth.user_oauth.id"), primary_key=True, index=True)
    is_owner: Mapped[bool]
    is_verified: Mapped[bool]
    permissions: Mapped[str]

    __table_args__ = (
        Index(
            "ix_linkuserprojectv2_one_owner_per_project",
            "project_id",
            unique=True,
            postgresql_where=text("is_owner IS TRUE"),
        ),
        CheckConstraint("NOT (is_owner AND NOT is_verified)", name="owner_is_verified"),
        CheckConstraint("NOT (is_owner AND permissions <> 'rwx')", name="owner_full_permissions"),
        CheckConstraint("permissions IN ('r', 'rw', 'rwx')", name="valid_permissions"),
        SCHEMA,
    )


class Dataset(Base):
    """An image list and the directory below which its images live."""

    __tablename__ = "datasetv2"
    __table_args__ = SCHEMA

    id: Mapped[IntPk]
    name: Mapped[str]
    project_id: Mapped[int] = mapped_column(ForeignKey("jobs.projectv2.id", ondelete="CASCADE"), index=True)
    timestamp_created: Mapped[Created]
    zarr_dir: Mapped[str]
    is_starred: Mapped[bool] = mapped_column(server_default=text("false"))


class DatasetImage(Base):
    """One entry of a dataset's image list; the list's order is that of `id`.

    `copy` is 0, except for URLs that an import repeated: it keeps the uniqueness that concurrent writers rely on.
    """

    __tablename__ = "datasetimage"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("jobs.datasetv2.id", ondelete="CASCADE"))
    zarr_url: Mapped[str]
    copy: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    origin: Mapped[str | None]
    attributes: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    types: Mapped[dict[str, bool]] = mapped_column(JSONB, server_default=text("'{}'"))

    __table_args__ = (
        UniqueConstraint("dataset_id", "zarr_url", "copy"),
        Index("ix_datasetimage_dataset_id_id", "dataset_id", "id"),
        # Filters by attribute; `jobs.image_terms` puts the dataset's id above the attributes' names.
        Index(
            "ix_datasetimage_terms",
            text("jobs.image_terms(dataset_id, attributes) jsonb_path_ops"),
            postgresql_using="gin",
        ),
        SCHEMA,
    )


class ImageSummary(Base):
    """What pages show of a whole image list, as it was in `snapshot`; notes of changes tell what came since."""

    __tablename__ = "datasetimagesummary"
    __table_args__ = SCHEMA

    dataset_id: Mapped[int] = mapped_column(ForeignKey("jobs.datasetv2.id", ondelete="CASCADE"), primary_key=True)
    snapshot: Mapped[str]
    image_count: Mapped[int]
    attributes: Mapped[dict[str, list[Any]]] = mapped_column(JSON)
    """Distinct values of each attribute, sorted."""
    types: Mapped[list[Any]] = mapped_column(JSON)
    """Every combination of types that occurs, and how many images have it."""
    counts: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """`attributes`: how many images have each value; `snapshot`: the one that these numbers are of."""


class ImageChange(Base):
    """A statement that changed an image list, written down by a trigger; removed once a summary has seen it."""

    __tablename__ = "datasetimagechange"
    __table_args__ = SCHEMA

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("jobs.datasetv2.id", ondelete="CASCADE"), index=True)
    transaction: Mapped[str] = mapped_column(server_default=text("pg_current_xact_id()::text"))
    number: Mapped[int] = mapped_column(server_default=text("0"))
    """Images that came, less those that went."""
    kinds: Mapped[list[Any] | None] = mapped_column(JSONB)
    """Triples of attributes, types and the number of images with them that came (or, negative, went); None if many."""
