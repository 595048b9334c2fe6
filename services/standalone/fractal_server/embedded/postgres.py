"""An embedded Postgres: initdb once, then a foreground child on loopback with scram passwords."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

from fractal_server.embedded import binaries
from fractal_server.embedded.children import ChildSpec
from fractal_server.embedded.home import Home

USER = "fractal"
DATABASE = "fractal"
UNPRIVILEGED_ACCOUNT = "nobody"


class PostgresSetupError(Exception):
    """The data directory cannot be used; the message says why and what to do."""


def account() -> tuple[int, int] | None:
    """Postgres refuses to run as root: then an ordinary account, else ourselves."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(UNPRIVILEGED_ACCOUNT)
    return entry.pw_uid, entry.pw_gid


def initialise(home: Home) -> Path:
    """Make the cluster at first use and return its directory.

    Raises:
        PostgresSetupError: initdb failed, or the unprivileged account cannot reach the directory.
    """
    data = home.directory("postgres")
    run_as = account()
    if run_as is not None:
        _check_reachable(data.parent)
    if (data / "PG_VERSION").exists():
        return data
    # A cluster appears whole or not at all: initdb that was killed has left a draft, which is made anew.
    draft = home.directory("postgres.new")
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700)
    password_file = home.directory("postgres.pwd")
    descriptor = os.open(password_file, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(home.secret("postgres_password"))
    if run_as is not None:
        os.chown(draft, *run_as)
        os.chown(password_file, *run_as)
    argv = [
        *(str(binaries.postgres("initdb")), "-D", str(draft), "-U", USER, "--pwfile", str(password_file)),
        *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
    ]
    user, group = run_as or (None, None)
    try:
        done = subprocess.run(  # noqa: PLW1510 - the status is looked at below
            argv, capture_output=True, text=True, user=user, group=group, extra_groups=[] if run_as else None, cwd="/"
        )
    finally:
        password_file.unlink()
    if done.returncode:
        raise PostgresSetupError(f"initdb failed in {draft}: {done.stderr.strip()}")
    draft.rename(data)
    return data


def spec(home: Home, port: int, *, durable: bool = True) -> ChildSpec:
    """`durable=False` turns fsync off, for throw-away databases of tests."""
    data = initialise(home)
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "100",
        "shared_buffers": "32MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "fsync": "on" if durable else "off",
        "jit": "off",
    }
    argv = [str(binaries.postgres()), "-D", str(data)]
    for name, value in options.items():
        argv += ["-c", f"{name}={value}"]

    async def ready() -> bool:
        return await asyncio.to_thread(_accepts, home, port)

    return ChildSpec("postgres", argv, ready=ready, stop_signal=signal.SIGINT, account=account(), cwd=Path("/"))


def environment(home: Home, port: int) -> dict[str, str]:
    """The variables with which the services find this Postgres."""
    return {
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(port),
        "POSTGRES_USER": USER,
        "POSTGRES_PASSWORD": home.secret("postgres_password"),
        "POSTGRES_DB": DATABASE,
    }


def ensure_database(home: Home, port: int, name: str = DATABASE) -> None:
    """Create the database if it is not there; idempotent."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(_conninfo(home, port), autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _conninfo(home: Home, port: int) -> str:
    from psycopg.conninfo import make_conninfo

    return make_conninfo(
        host="127.0.0.1", port=port, user=USER, password=home.secret("postgres_password"), dbname="postgres",
        connect_timeout=5,
    )  # fmt: skip


def _accepts(home: Home, port: int) -> bool:
    import psycopg

    try:
        psycopg.connect(_conninfo(home, port)).close()
    except psycopg.OperationalError:
        return False
    return True


def _check_reachable(directory: Path) -> None:
    for parent in [directory, *directory.parents]:
        if not parent.stat().st_mode & 0o001:
            raise PostgresSetupError(
                f"{parent} is closed to other accounts, but Postgres cannot run as root and needs to pass through it: "
                f"set FRACTAL_HOME to a directory that '{UNPRIVILEGED_ACCOUNT}' can reach (for example below /var/lib)"
            )
