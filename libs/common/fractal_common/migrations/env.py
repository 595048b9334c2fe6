"""Alembic environment: online only, both schemas, one history."""

from alembic import context
from sqlalchemy import Connection, create_engine, text

from fractal_common.database.models import Base
from fractal_common.database.sessions import connect_arguments
from fractal_common.settings import DatabaseSettings, load

MIGRATION_LOCK = 0x46524143
"""Advisory lock: two replicas that start together migrate one after the other."""


def run(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS auth"))
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS jobs"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_schemas=True,
        version_table_schema="jobs",
        compare_server_default=False,
        include_name=lambda name, type_, _: type_ != "schema" or name in {"auth", "jobs"},
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()


engine = create_engine(load(DatabaseSettings).url, connect_args=connect_arguments("fractal-migrations"))
with engine.connect() as open_connection:
    run(open_connection)
engine.dispose()
