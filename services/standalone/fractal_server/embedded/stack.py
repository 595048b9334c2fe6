"""Which processes a stack has, in the order in which they start, and what each is told."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from fractal_common.settings import ENV_FILE, ConfigurationError, DatabaseSettings, load
from fractal_common.telemetry import get_logger

from fractal_server.embedded import caddy, nats, postgres
from fractal_server.embedded.children import Child, ChildSpec, answers, python_module
from fractal_server.embedded.home import Home, write_json

log = get_logger(__name__)

JWT_LIFETIME_S = 7 * 24 * 3600
ADMIN_EMAIL = "admin@example.org"


@dataclass(frozen=True)
class Layout:
    """What to run. With `one_port`, both HTTP services are one process without a gateway."""

    host: str = "127.0.0.1"
    port: int | None = None
    one_port: bool = False
    engines: int = 1
    apis: int = 1
    reload: bool = False
    backend_only: bool = False


@dataclass
class Stack:
    """Children of one supervisor; what is given by the environment is not brought along."""

    home: Home
    layout: Layout = field(default_factory=Layout)
    children: list[Child] = field(default_factory=list[Child])
    url: str = ""

    async def start(self) -> None:
        """Everything up and ready, in order; leaves nothing running if a part does not come up.

        Raises:
            StartError, PostgresSetupError, HomeInUseError, ConfigurationError
        """
        self.home.prepare()
        self.home.lock()
        try:
            own_database = _operator_database() is None
            environment = await self._start_stores(own_database=own_database)
            if own_database:
                # An operator's database is migrated and filled by the operator: set-db, init-db-data.
                await asyncio.to_thread(_migrate, environment)
                await _seed(environment, self.home)
            await self._start_services(environment)
        except BaseException:
            await self.stop()
            raise

    async def run(self) -> None:
        """Until SIGTERM or SIGINT; then stop all, the last started first."""
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        await stopped.wait()
        await self.stop()

    async def stop(self) -> None:
        for child in reversed(self.children):
            await child.stop()
        self.children.clear()
        (self.home.path / "runtime.json").unlink(missing_ok=True)

    async def _start_stores(self, *, own_database: bool) -> dict[str, str]:
        """Postgres and NATS, unless the operator gave them; returns the services' environment."""
        environment = defaults(self.home, own_database=own_database)
        if own_database:
            port = self.home.port("postgres")
            await self._start(postgres.spec(self.home, port))
            await asyncio.to_thread(postgres.ensure_database, self.home, port)
            environment |= postgres.environment(self.home, port)
        if "FRACTAL_NATS_URL" not in os.environ:
            port = self.home.port("nats")
            await self._start(nats.spec(self.home, port))
            environment |= nats.environment(self.home, port)
        return environment

    async def _start_services(self, environment: dict[str, str]) -> None:
        agent = dict(environment)
        if "FRACTAL_NATS_URL" in environment:
            agent |= nats.environment(self.home, self.home.port("nats"), "agent") | {
                "FRACTAL_NATS_URL": environment["FRACTAL_NATS_URL"]
            }
        for number in range(self.layout.engines):
            name = f"engine-{number + 1}" if number else "engine"
            await self._start(ChildSpec(name, python_module("fractal_jobs.engine"), environment))
        await self._start(ChildSpec("agent", python_module("fractal_agent"), agent))
        if self.layout.backend_only:
            return
        if self.layout.one_port:
            await self._start_one_port(environment)
        else:
            await self._start_behind_gateway(environment)

    async def _start_one_port(self, environment: dict[str, str]) -> None:
        port = self.layout.port or self.home.port("gateway")
        argv = python_module(
            *("uvicorn", "fractal_server.main:app", "--host", self.layout.host, "--port", str(port), "--no-access-log")
        )
        if self.layout.reload:
            argv.append("--reload")
        await self._start(_http("server", argv, environment, port))
        self._announce(port)

    async def _start_behind_gateway(self, environment: dict[str, str]) -> None:
        auth_port = self.home.port("auth")
        jobs_ports = [self.home.port(f"jobs-api-{number + 1}") for number in range(self.layout.apis)]
        gateway_port = self.layout.port or self.home.port("gateway")
        environment = environment | {"FRACTAL_AUTH_URL": f"http://127.0.0.1:{auth_port}"}
        specs = [_http("auth", python_module("fractal_auth", "--port", str(auth_port)), environment, auth_port)]
        for number, port in enumerate(jobs_ports):
            name = f"jobs-api-{number + 1}" if number else "jobs-api"
            specs.append(_http(name, python_module("fractal_jobs.api", "--port", str(port)), environment, port))
        await asyncio.gather(*(self._start(spec) for spec in specs))
        gateway = caddy.spec(
            self.home, host=self.layout.host, port=gateway_port, auth_port=auth_port, jobs_ports=jobs_ports
        )
        await self._start(gateway)
        self._announce(gateway_port)

    async def _start(self, spec: ChildSpec) -> None:
        child = Child(spec, self.home.directory("logs") / f"{spec.name}.log")
        self.children.append(child)
        await child.start(self._write_runtime)
        self._write_runtime()

    def _announce(self, port: int) -> None:
        self.url = f"http://{self.layout.host}:{port}"
        self._write_runtime()

    def _write_runtime(self) -> None:
        processes = {child.spec.name: child.pid for child in self.children}
        write_json(
            self.home.path / "runtime.json", {"supervisor": os.getpid(), "url": self.url, "processes": processes}
        )


def defaults(home: Home, *, own_database: bool) -> dict[str, str]:
    """Settings that the operator has not made; with a database of theirs only the default resource's directories."""
    if own_database:
        wanted = {
            "FRACTAL_TASKS_DIR": str(home.directory("tasks")),
            "FRACTAL_RUNNER_WORKING_BASE_DIR": str(home.directory("jobs")),
            "FRACTAL_DEFAULT_GROUP_NAME": "All",
            "JWT_EXPIRE_SECONDS": str(JWT_LIFETIME_S),
            "JWT_SECRET_KEY": home.secret("jwt_secret_key"),
        }
    else:
        wanted = {
            "FRACTAL_TASKS_DIR": str(Path.cwd() / "data-tasks"),
            "FRACTAL_RUNNER_WORKING_BASE_DIR": str(Path.cwd() / "data-jobs"),
        }
    given = {*os.environ, *_file_variables()}
    return {name: value for name, value in wanted.items() if name not in given}


def _file_variables() -> set[str]:
    from dotenv import dotenv_values

    return set(dotenv_values(ENV_FILE)) if Path(ENV_FILE).exists() else set()


def _operator_database() -> DatabaseSettings | None:
    try:
        return load(DatabaseSettings)
    except ConfigurationError:
        return None


def _http(name: str, argv: list[str], environment: dict[str, str], port: int) -> ChildSpec:
    async def ready() -> bool:
        return await answers(port)

    return ChildSpec(name, argv, environment, ready=ready)


def _migrate(environment: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-m", "fractal_common.migrations"], env={**os.environ, **environment}, check=True)


async def _seed(environment: dict[str, str], home: Home) -> None:
    """First start: default group, resource and profile, and an administrator with a generated password."""
    os.environ.update({name: value for name, value in environment.items() if name not in os.environ})
    from fractal_server.cli.init_data import seed

    (home.directory("projects") / "admin").mkdir(exist_ok=True)
    await seed(
        admin_email=ADMIN_EMAIL,
        admin_password=home.secret("admin_password"),
        admin_project_dir=str(home.directory("projects") / "admin"),
        resource="default",
        profile="default",
        quiet=True,
    )
