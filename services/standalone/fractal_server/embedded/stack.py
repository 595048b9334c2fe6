"""Which processes a stack has, in the order in which they start, and what each is told."""

import asyncio
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

from fractal_common.database.sessions import Database
from fractal_common.settings import (
    AppSettings,
    DatabaseSettings,
    EmailSettings,
    NatsSettings,
    OAuthSettings,
    RetentionSettings,
    ServingSettings,
    given_variables,
    load,
)
from fractal_common.telemetry import get_logger

from fractal_server.embedded import caddy, nats, postgres
from fractal_server.embedded.agents import LocalAgents
from fractal_server.embedded.children import STOP_TIMEOUT_S, Child, ChildSpec, StartError, answers, python_module
from fractal_server.embedded.home import Home, is_free, write_json
from fractal_server.settings_to_compute import follow_settings

log = get_logger(__name__)

JWT_LIFETIME_S = 7 * 24 * 3600
ADMIN_EMAIL = "admin@example.org"


class AddressInUseError(Exception):
    """Somebody else listens where the stack is to listen."""


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
    own_database: bool = True
    _following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Everything up and ready, in order; leaves nothing running if a part does not come up.

        Raises:
            StartError, PostgresSetupError, HomeInUseError, ConfigurationError
        """
        self.home.prepare()
        self.home.lock()
        try:
            self.own_database = not operator_database()
            check_settings(own_database=self.own_database)
            environment = await self._start_stores()
            if self.own_database:
                # An operator's database is migrated and filled by the operator: set-db, init-db-data.
                await self._first_start(environment)
            else:
                await self._follow_settings()
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
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        for child in reversed(self.children):
            await child.stop()
        self.children.clear()
        (self.home.path / "runtime.json").unlink(missing_ok=True)
        self.home.unlock()

    async def _start_stores(self) -> dict[str, str]:
        """Postgres and NATS, unless the operator gave them; returns the services' environment."""
        environment = defaults(self.home, own_database=self.own_database)
        if self.own_database:
            port = self.home.port("postgres")
            await self._start(postgres.spec(self.home, port))
            await asyncio.to_thread(postgres.ensure_database, self.home, port)
            environment |= postgres.environment(self.home, port)
        if not nats_is_given():
            port = self.home.remembered_port("nats") if self.layout.backend_only else self.home.port("nats")
            await self._start(nats.spec(self.home, port))
            environment |= nats.environment(self.home, port)
        return environment

    async def _first_start(self, environment: dict[str, str]) -> None:
        project_dir = self.home.directory("projects") / "admin"
        project_dir.mkdir(exist_ok=True)
        admin = {
            "FRACTAL_ADMIN_EMAIL": ADMIN_EMAIL,
            "FRACTAL_ADMIN_PASSWORD": self.home.secret("admin_password"),
            "FRACTAL_ADMIN_PROJECT_DIR": str(project_dir),
        }
        log_file = self.home.directory("logs") / "first-start.log"
        with log_file.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *python_module("fractal_server.first_start"),
                env={**os.environ, **environment, **admin},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
            if await process.wait():
                raise StartError(f"the database could not be prepared; see {log_file}")

    async def _follow_settings(self) -> None:
        database = Database.connect(load(DatabaseSettings), process="fractal-supervisor", pool_size=1)
        try:
            await follow_settings(database)
        finally:
            await database.close()

    async def _start_services(self, environment: dict[str, str]) -> None:
        agent = dict(environment)
        if "FRACTAL_NATS_URL" in environment:
            agent |= nats.environment(self.home, self.home.remembered_port("nats"), "agent")
        for number in range(self.layout.engines):
            name = f"engine-{number + 1}" if number else "engine"
            await self._start(ChildSpec(name, python_module("fractal_jobs.engine"), environment))
        database = DatabaseSettings.model_validate(environment) if self.own_database else load(DatabaseSettings)
        agents = LocalAgents(database, agent, start=self._start, stop=self._stop_child)
        self._following = asyncio.create_task(agents.follow())
        if self.layout.backend_only:
            return
        if self.layout.one_port:
            await self._start_one_port(environment)
        else:
            await self._start_behind_gateway(environment)

    async def _start_one_port(self, environment: dict[str, str]) -> None:
        port = self._public_port()
        argv = python_module(
            *("uvicorn", "fractal_server.main:app", "--host", self.layout.host, "--port", str(port), "--no-access-log"),
            *("--timeout-graceful-shutdown", str(round(_grace_s()))),
        )
        if self.layout.reload:
            argv.append("--reload")
        await self._start(_http("server", argv, environment, port))
        self._announce(port)

    async def _start_behind_gateway(self, environment: dict[str, str]) -> None:
        auth_port = self.home.port("auth")
        jobs_ports = [self.home.port(f"jobs-api-{number + 1}") for number in range(self.layout.apis)]
        gateway_port = self._public_port()
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

    def _public_port(self) -> int:
        port = self.layout.port or self.home.port("gateway")
        if not is_free(self.layout.host, port):
            raise AddressInUseError(f"{self.layout.host}:{port} is not free to listen on; choose another with --port")
        return port

    async def _start(self, spec: ChildSpec) -> Child:
        child = Child(spec, self.home.directory("logs") / f"{spec.name}.log")
        self.children.append(child)
        await child.start(self._write_runtime)
        self._write_runtime()
        return child

    async def _stop_child(self, child: Child) -> None:
        await child.stop()
        self.children.remove(child)
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
    given = given_variables()
    return {name: value for name, value in wanted.items() if name not in given}


def operator_database() -> bool:
    """Whether the operator has said where Postgres is.

    Raises:
        ConfigurationError: they have said something, but not enough.
    """
    if not any(name.startswith("POSTGRES_") for name in given_variables()):
        return False
    load(DatabaseSettings)
    return True


def check_settings(*, own_database: bool) -> None:
    """So that a wrong setting is told here, and not in the log of a child that does not start.

    Raises:
        ConfigurationError: naming the variable.
    """
    for group in (EmailSettings, OAuthSettings, NatsSettings, RetentionSettings, ServingSettings):
        load(group)
    if not own_database:  # else some of them are made by the stack
        load(AppSettings)


def nats_is_given() -> bool:
    return "FRACTAL_NATS_URL" in load(NatsSettings).model_fields_set


def _http(name: str, argv: list[str], environment: dict[str, str], port: int) -> ChildSpec:
    async def ready() -> bool:
        return await answers(port)

    return ChildSpec(name, argv, environment, ready=ready, stop_timeout_s=_grace_s() + STOP_TIMEOUT_S)


def _grace_s() -> float:
    return load(ServingSettings).FRACTAL_GRACEFUL_SHUTDOWN_TIME
