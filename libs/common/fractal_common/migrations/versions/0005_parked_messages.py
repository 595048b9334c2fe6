"""A parked message that comes again is counted, not kept twice.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("parkedmessage", sa.Column("key", sa.String(), nullable=True), schema="jobs")
    op.execute("UPDATE jobs.parkedmessage SET key = id::text")
    op.alter_column("parkedmessage", "key", nullable=False, schema="jobs")
    op.add_column("parkedmessage", sa.Column("times", sa.Integer(), server_default="1", nullable=False), schema="jobs")
    op.create_unique_constraint(op.f("uq_parkedmessage_key"), "parkedmessage", ["key"], schema="jobs")


def downgrade() -> None:
    op.drop_column("parkedmessage", "times", schema="jobs")
    op.drop_column("parkedmessage", "key", schema="jobs")
