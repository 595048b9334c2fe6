"""Events of jobs, for those who follow them live.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobevent",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("xid", sa.BigInteger(), server_default=sa.text("pg_current_xact_id()::text::bigint"), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.jobv2.id"], name=op.f("fk_jobevent_job_id_jobv2"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobevent")),
        schema="jobs",
    )
    op.create_index("ix_jobevent_position", "jobevent", ["job_id", "xid", "id"], schema="jobs")
    op.create_index(op.f("ix_jobevent_at"), "jobevent", ["at"], schema="jobs")


def downgrade() -> None:
    op.drop_table("jobevent", schema="jobs")
