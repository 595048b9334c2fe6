"""A durable Postgres that a test may kill and pause, apart from the one that other tests share."""

import os
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import psycopg
from fractal_server.embedded import postgres
from fractal_server.embedded.home import Home
from psycopg import sql

from tests.processes import children_of, free_port

_numbers = count(1)


class MortalPostgres:
    """Migrated once; each test gets a database of its own."""

    def __init__(self, root: Path) -> None:
        root.chmod(0o755)
        self.home = Home(root / "home")
        self.home.prepare()
        self.port = free_port()
        self._spec = postgres.spec(self.home, self.port)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def migrate(self) -> None:
        postgres.ensure_database(self.home, self.port, "migrated")
        argv = [sys.executable, "-m", "fractal_common.migrations"]
        subprocess.run(argv, env={**os.environ, **self.environment("migrated")}, check=True, timeout=60)

    def environment(self, database: str) -> dict[str, str]:
        return {**postgres.environment(self.home, self.port), "POSTGRES_DB": database}

    def create(self) -> str:
        """A fresh, migrated database; its name."""
        name = f"chaos_{next(_numbers)}"
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE migrated").format(sql.Identifier(name)))
        return name

    def drop(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def connect(self) -> psycopg.Connection:
        environment = self.environment("postgres")
        return psycopg.connect(
            host=environment["POSTGRES_HOST"],
            port=self.port,
            user=environment["POSTGRES_USER"],
            password=environment["POSTGRES_PASSWORD"],
            dbname="postgres",
            autocommit=True,
        )

    def start(self) -> None:
        """Returns when it accepts connections; after a kill that is when what the dead one left is gone."""
        user, group = self._spec.account or (None, None)
        deadline = time.monotonic() + 60
        while True:
            with (self.home.directory("logs") / "postgres.log").open("ab") as output:
                self._process = subprocess.Popen(
                    self._spec.argv, cwd="/", stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                    user=user, group=group, extra_groups=[] if user is not None else None,
                )  # fmt: skip
            while self._process.poll() is None:
                try:
                    self.connect().close()
                except psycopg.OperationalError:
                    assert time.monotonic() < deadline, "Postgres did not start"
                    time.sleep(0.05)
                else:
                    return
            assert time.monotonic() < deadline, "Postgres ended while starting"
            time.sleep(0.1)

    def kill(self) -> None:
        """Every process of it at once, as by a power cut."""
        self._signal(signal.SIGKILL)
        assert self._process is not None, "not started"
        self._process.wait()

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        children = children_of(self.pid)
        os.kill(self.pid, number)
        for child in children:
            try:
                os.kill(child, number)
            except ProcessLookupError:
                continue
