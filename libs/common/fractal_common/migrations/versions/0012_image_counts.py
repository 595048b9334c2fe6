"""Notes of changed image lists say what changed, so that a summary follows without counting again.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ADDED = "SELECT dataset_id, attributes, types, 1 AS sign FROM added"
REMOVED = "SELECT dataset_id, attributes, types, -1 AS sign FROM removed"
CHANGES = {
    "INSERT": ("NEW TABLE AS added", ADDED),
    "UPDATE": ("NEW TABLE AS added OLD TABLE AS removed", f"{ADDED} UNION ALL {REMOVED}"),
    "DELETE": ("OLD TABLE AS removed", REMOVED),
}
BEFORE = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}
MANY = 1000


def upgrade() -> None:
    op.add_column(
        "datasetimagechange",
        sa.Column("number", sa.Integer(), server_default=sa.text("0"), nullable=False),
        schema="jobs",
    )
    op.add_column("datasetimagechange", sa.Column("kinds", postgresql.JSONB(), nullable=True), schema="jobs")
    op.add_column("datasetimagesummary", sa.Column("counts", sa.JSON(), nullable=True), schema="jobs")
    # Notes without numbers are not to be added to anything: summaries are made again when somebody looks.
    op.execute("DELETE FROM jobs.datasetimagesummary")
    op.execute("DELETE FROM jobs.datasetimagechange")
    for event, (tables, rows) in CHANGES.items():
        name = event.lower()
        op.execute(f"DROP TRIGGER note_{name} ON jobs.datasetimage")
        op.execute(
            f"""
            CREATE FUNCTION jobs.note_image_{name}() RETURNS trigger LANGUAGE plpgsql AS $$
            DECLARE
                few boolean := (SELECT count(*) FROM ({rows}) AS each) <= {MANY};
            BEGIN
                -- A dataset that is being deleted takes its images along, and needs no note.
                IF few THEN
                    INSERT INTO jobs.datasetimagechange (dataset_id, number, kinds)
                    SELECT dataset_id, sum(number), jsonb_agg(jsonb_build_array(attributes, types, number))
                    FROM (
                        SELECT dataset_id, attributes, types, sum(sign) AS number FROM ({rows}) AS each
                        GROUP BY dataset_id, attributes, types HAVING sum(sign) <> 0
                    ) AS kind
                    WHERE EXISTS (SELECT FROM jobs.datasetv2 WHERE datasetv2.id = kind.dataset_id)
                    GROUP BY dataset_id;
                ELSE
                    INSERT INTO jobs.datasetimagechange (dataset_id, number)
                    SELECT dataset_id, sum(sign) FROM ({rows}) AS each
                    WHERE EXISTS (SELECT FROM jobs.datasetv2 WHERE datasetv2.id = each.dataset_id)
                    GROUP BY dataset_id;
                END IF;
                RETURN NULL;
            END $$
            """  # noqa: S608 - made of the constants above
        )
        op.execute(
            f"""
            CREATE TRIGGER note_{name} AFTER {event} ON jobs.datasetimage REFERENCING {tables}
            FOR EACH STATEMENT EXECUTE FUNCTION jobs.note_image_{name}()
            """
        )
    op.execute("DROP FUNCTION jobs.note_image_change()")


def downgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION jobs.note_image_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO jobs.datasetimagechange (dataset_id)
            SELECT DISTINCT changed.dataset_id FROM changed
            WHERE EXISTS (SELECT FROM jobs.datasetv2 WHERE datasetv2.id = changed.dataset_id);
            RETURN NULL;
        END $$
        """
    )
    for event, rows in BEFORE.items():
        op.execute(f"DROP TRIGGER note_{event.lower()} ON jobs.datasetimage")
        op.execute(f"DROP FUNCTION jobs.note_image_{event.lower()}()")
        op.execute(
            f"""
            CREATE TRIGGER note_{event.lower()} AFTER {event} ON jobs.datasetimage
            REFERENCING {rows} TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION jobs.note_image_change()
            """
        )
    op.drop_column("datasetimagesummary", "counts", schema="jobs")
    op.drop_column("datasetimagechange", "kinds", schema="jobs")
    op.drop_column("datasetimagechange", "number", schema="jobs")
