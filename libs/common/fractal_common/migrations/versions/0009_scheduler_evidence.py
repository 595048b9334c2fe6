"""What the scheduler said of a batch; SLURM's accounting has one row a wave.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batch", sa.Column("evidence", postgresql.JSONB(none_as_null=True), nullable=True), schema="jobs")
    op.add_column("accountingrecordslurm", sa.Column("wave", sa.String(), nullable=True), schema="jobs")
    op.create_unique_constraint("uq_accountingrecordslurm_wave", "accountingrecordslurm", ["wave"], schema="jobs")


def downgrade() -> None:
    op.drop_constraint("uq_accountingrecordslurm_wave", "accountingrecordslurm", schema="jobs")
    op.drop_column("accountingrecordslurm", "wave", schema="jobs")
    op.drop_column("batch", "evidence", schema="jobs")
