"""The engine is told which job is due, and only of jobs that are.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP TRIGGER notify_fractal_engine ON jobs.execution")
    op.execute(
        """
        CREATE OR REPLACE FUNCTION jobs.notify_fractal_engine() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_notify('fractal_engine', NEW.job_id::text);
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER notify_fractal_engine AFTER INSERT OR UPDATE OF wake_at ON jobs.execution"
        " FOR EACH ROW WHEN (NEW.wake_at IS NOT NULL) EXECUTE FUNCTION jobs.notify_fractal_engine()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER notify_fractal_engine ON jobs.execution")
    op.execute(
        """
        CREATE OR REPLACE FUNCTION jobs.notify_fractal_engine() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_notify('fractal_engine', '');
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER notify_fractal_engine AFTER INSERT OR UPDATE OF wake_at ON jobs.execution"
        " FOR EACH STATEMENT EXECUTE FUNCTION jobs.notify_fractal_engine()"
    )
