"""Attempts to log in, counted for all replicas.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "login_attempts",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_login_attempts"),
        schema="auth",
        prefixes=["UNLOGGED"],
    )
    op.create_index("ix_login_attempts_since", "login_attempts", ["since"], schema="auth")


def downgrade() -> None:
    op.drop_table("login_attempts", schema="auth")
