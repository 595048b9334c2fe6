"""Whoever writes an image list, also an older release, leaves a note for its summary.

Revision ID: 0011
Revises: 0010
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

CHANGES = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION jobs.note_image_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            -- A dataset that is being deleted takes its images along, and needs no note.
            INSERT INTO jobs.datasetimagechange (dataset_id)
            SELECT DISTINCT changed.dataset_id FROM changed
            WHERE EXISTS (SELECT FROM jobs.datasetv2 WHERE datasetv2.id = changed.dataset_id);
            RETURN NULL;
        END $$
        """
    )
    for event, rows in CHANGES.items():
        op.execute(
            f"""
            CREATE TRIGGER note_{event.lower()} AFTER {event} ON jobs.datasetimage
            REFERENCING {rows} TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION jobs.note_image_change()
            """
        )


def downgrade() -> None:
    for event in CHANGES:
        op.execute(f"DROP TRIGGER note_{event.lower()} ON jobs.datasetimage")
    op.execute("DROP FUNCTION jobs.note_image_change()")
