"""Image lists: an index for filters by attribute, and summaries that are kept while nothing changes.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION jobs.image_terms(dataset_id integer, attributes jsonb) RETURNS jsonb
        LANGUAGE sql IMMUTABLE PARALLEL SAFE
        AS $$ SELECT jsonb_build_object(dataset_id::text, attributes) $$
        """
    )
    op.create_index(
        "ix_datasetimage_terms",
        "datasetimage",
        [sa.text("jobs.image_terms(dataset_id, attributes) jsonb_path_ops")],
        schema="jobs",
        postgresql_using="gin",
    )
    op.create_table(
        "datasetimagesummary",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("snapshot", sa.String(), nullable=False),
        sa.Column("image_count", sa.Integer(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("types", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["jobs.datasetv2.id"],
            name=op.f("fk_datasetimagesummary_dataset_id_datasetv2"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("dataset_id", name=op.f("pk_datasetimagesummary")),
        schema="jobs",
    )
    op.create_table(
        "datasetimagechange",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("transaction", sa.String(), server_default=sa.text("pg_current_xact_id()::text"), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["jobs.datasetv2.id"],
            name=op.f("fk_datasetimagechange_dataset_id_datasetv2"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasetimagechange")),
        schema="jobs",
    )
    op.create_index("ix_datasetimagechange_dataset_id", "datasetimagechange", ["dataset_id"], schema="jobs")


def downgrade() -> None:
    op.drop_table("datasetimagechange", schema="jobs")
    op.drop_table("datasetimagesummary", schema="jobs")
    op.drop_index("ix_datasetimage_terms", table_name="datasetimage", schema="jobs")
    op.execute("DROP FUNCTION jobs.image_terms(integer, jsonb)")
