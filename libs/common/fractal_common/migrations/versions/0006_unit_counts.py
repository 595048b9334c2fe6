"""Runs that are over keep the counts of their units; units of a run are paged through one index.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "historyrun", sa.Column("unit_counts", postgresql.JSONB(none_as_null=True), nullable=True), schema="jobs"
    )
    op.drop_index("ix_historyunit_history_run_id", table_name="historyunit", schema="jobs")
    op.create_index("ix_historyunit_history_run_id", "historyunit", ["history_run_id", "id"], schema="jobs")


def downgrade() -> None:
    op.drop_index("ix_historyunit_history_run_id", table_name="historyunit", schema="jobs")
    op.create_index("ix_historyunit_history_run_id", "historyunit", ["history_run_id"], schema="jobs")
    op.drop_column("historyrun", "unit_counts", schema="jobs")
