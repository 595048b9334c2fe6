"""The exception that ended a process.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("unitresult", sa.Column("exception", sa.String(), nullable=True), schema="jobs")


def downgrade() -> None:
    op.drop_column("unitresult", "exception", schema="jobs")
