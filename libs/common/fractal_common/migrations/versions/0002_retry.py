"""A job may be the retry of another.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column, table in (("retry_of", "jobv2"), ("retry_run_id", "historyrun")):
        op.add_column("execution", sa.Column(column, sa.Integer(), nullable=True), schema="jobs")
        op.create_foreign_key(
            op.f(f"fk_execution_{column}_{table}"),
            "execution",
            table,
            [column],
            ["id"],
            source_schema="jobs",
            referent_schema="jobs",
            ondelete="SET NULL",
        )


def downgrade() -> None:
    for column in ("retry_run_id", "retry_of"):
        op.drop_column("execution", column, schema="jobs")
