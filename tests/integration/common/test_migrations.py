"""The one Alembic history builds exactly what the models say."""

import os
import subprocess
import sys
from pathlib import Path

import fractal_common.migrations
import psycopg
from fractal_common.migrations import INI


def _alembic(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("alembic")), "-c", str(INI), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_models_and_migrations_do_not_drift(database_environment: dict[str, str]) -> None:
    done = _alembic("check", environment=database_environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No new upgrade operations detected" in done.stdout + done.stderr


def test_upgrade_is_idempotent(database_environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", fractal_common.migrations.__name__]
    subprocess.run(command, env={**os.environ, **database_environment}, check=True, timeout=60)


def test_outbox_rows_wake_the_relay(database_environment: dict[str, str]) -> None:
    arguments = {
        "host": database_environment["POSTGRES_HOST"],
        "port": database_environment["POSTGRES_PORT"],
        "user": database_environment["POSTGRES_USER"],
        "password": database_environment["POSTGRES_PASSWORD"],
        "dbname": database_environment["POSTGRES_DB"],
        "autocommit": True,
    }
    with psycopg.connect(**arguments) as listener, psycopg.connect(**arguments) as writer:
        listener.execute("LISTEN fractal_outbox")
        writer.execute("INSERT INTO jobs.outbox (subject, payload) SELECT 'x', '{}' FROM generate_series(1, 100)")
        received = list(listener.notifies(timeout=5, stop_after=1))
        assert [notification.channel for notification in received] == ["fractal_outbox"]
        assert list(listener.notifies(timeout=0.2)) == [], "one wake-up a statement, not one a row"
