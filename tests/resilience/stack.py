"""The execution side as real processes: Postgres, nats-server, engine replicas, an agent, workers."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fractal_common.database.base import utcnow
from fractal_common.database.models import (
    Dataset,
    DatasetImage,
    Execution,
    Job,
    Profile,
    Project,
    ProjectMember,
    Resource,
    Task,
    TaskGroup,
    User,
    Workflow,
    WorkflowTask,
)
from fractal_common.database.sessions import Database
from fractal_common.settings import DatabaseSettings
from fractal_jobs.domain import names
from fractal_server.embedded import nats
from fractal_server.embedded.home import Home
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import undefer

from tests.processes import free_port

from .database import MortalPostgres

PUPPET = """\
import json, os, sys, time

def patiently(action):
    # A task that waits for room on its disk, as those do that write images.
    while True:
        try:
            return action()
        except OSError:
            time.sleep(0.05)

def write(path, text):
    with open(path, "w") as stream:
        stream.write(text)

args = json.load(open(sys.argv[sys.argv.index("--args-json") + 1]))
out = sys.argv[sys.argv.index("--out-json") + 1]
key = args.get("zarr_url") or args["zarr_dir"]
open(args["marks"], "a").write(key + "\\n")
patiently(lambda: os.write(1, ("puppet " + key + "\\n").encode()))
time.sleep(args.get("sleep", 0))
if key in args.get("fail_on", []):
    sys.exit(7)
outputs = args.get("outputs", {})
if key in outputs:
    patiently(lambda: write(out, json.dumps(outputs[key])))
"""


@dataclass
class Step:
    """One workflow task that the puppet plays."""

    type: str
    args_non_parallel: dict[str, Any] = field(default_factory=dict)
    args_parallel: dict[str, Any] = field(default_factory=dict)
    input_types: dict[str, bool] = field(default_factory=dict)
    output_types: dict[str, bool] = field(default_factory=dict)


class Stack:
    """Processes by name, each of which a test may kill and start again; and the database behind them."""

    def __init__(
        self,
        root: Path,
        settings: DatabaseSettings,
        environment: dict[str, str],
        *,
        links: bool = False,
        postgres: MortalPostgres | None = None,
    ) -> None:
        """`links`: services reach Postgres and NATS through connections that can be cut; `postgres`: may be killed."""
        self.root = root
        self.postgres = postgres
        self.home = Home(root / "home")
        self.home.prepare()
        self.database = Database.connect(settings, process="test", pool_size=2)
        self.nats_port = free_port()
        self.marks = root / "marks"
        self.zarr_dir = str(root / "zarr")
        (root / "puppet.py").write_text(PUPPET)
        self.jwt_key = secrets.token_urlsafe(32)
        nats_port, self.links = self.nats_port, {}
        common = {**os.environ, **environment, "JWT_SECRET_KEY": self.jwt_key}
        if links:
            nats_port, database_port = free_port(), free_port()
            link = [sys.executable, str(Path(__file__).with_name("link.py"))]
            self.links = {
                "link-nats": ([*link, str(nats_port), str(self.nats_port)], dict(os.environ)),
                "link-postgres": ([*link, str(database_port), environment["POSTGRES_PORT"]], dict(os.environ)),
            }
            common["POSTGRES_PORT"] = str(database_port)
        agent = {
            "FRACTAL_RUNNER_WORKING_BASE_DIR": str(self.home.directory("jobs")),
            "FRACTAL_TASKS_DIR": str(self.home.directory("tasks")),
        }
        module = [sys.executable, "-m"]
        server = common | nats.environment(self.home, nats_port)
        agent |= common | nats.environment(self.home, nats_port, "agent")
        self.api_ports = {"api": free_port(), "api-2": free_port()}
        self.commands: dict[str, tuple[list[str], dict[str, str]]] = {
            **self.links,
            "nats": (nats.spec(self.home, self.nats_port).argv, common),
            "engine": ([*module, "fractal_jobs.engine"], server),
            "engine-2": ([*module, "fractal_jobs.engine"], server),
            "agent": ([*module, "fractal_agent"], agent),
            "agent-2": ([*module, "fractal_agent"], agent | {"FRACTAL_AGENT_STATE_DIR": str(root / "agent-2")}),
            **{
                name: ([*module, "fractal_jobs.api", "--port", str(port)], server)
                for name, port in self.api_ports.items()
            },
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        if name == "postgres":
            assert self.postgres is not None, "this stack's Postgres is shared"
            self.postgres.start()
            return
        argv, environment = self.commands[name]
        with (self.home.directory("logs") / f"{name}.log").open("ab") as output:
            self.processes[name] = subprocess.Popen(
                argv, env=environment, cwd=self.root, stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )

    def kill(self, name: str) -> None:
        """SIGKILL."""
        if name == "postgres":
            assert self.postgres is not None, "this stack's Postgres is shared"
            self.postgres.kill()
            return
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def pause(self, name: str) -> None:
        if name == "postgres":
            assert self.postgres is not None, "this stack's Postgres is shared"
            self.postgres.pause()
        else:
            self.processes[name].send_signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        if name == "postgres":
            assert self.postgres is not None, "this stack's Postgres is shared"
            self.postgres.resume()
        else:
            self.processes[name].send_signal(signal.SIGCONT)

    def kill_workers(self) -> int:
        """SIGKILL the main process of every worker of this stack; returns how many there were."""
        killed = 0
        for file in self.home.directory("jobs").glob("*/*/.fractal/*/worker.json"):
            pid = int(file.read_text().split('"pid": ')[1].split(",")[0])
            lock = str(file.with_name("worker.lock"))
            try:
                if any(str(descriptor.readlink()) == lock for descriptor in Path(f"/proc/{pid}/fd").iterdir()):
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
            except (OSError, ProcessLookupError):
                continue
        return killed

    def started(self) -> list[str]:
        return sorted(self.marks.read_text().split()) if self.marks.exists() else []

    async def submit(self, steps: list[Step], images: list[dict[str, Any]]) -> int:
        """The rows that a submission writes; returns the job's id."""
        command = f"{sys.executable} -I -S {self.root / 'puppet.py'}"
        async with self.database.transaction() as session:
            resource = await session.scalar(select(Resource).limit(1))
            if resource is None:
                resource = Resource(
                    name="r",
                    type="local",
                    jobs_local_dir=str(self.home.directory("jobs")),
                    tasks_local_dir=str(self.home.directory("tasks")),
                    jobs_poll_interval=0,
                    jobs_runner_config={"parallel_tasks_per_job": 4},
                )
                session.add(resource)
                await session.flush()
                session.add(Profile(name="p", resource_id=resource.id, resource_type="local"))
                person = {"email": "u@example.org", "hashed_password": "-", "is_verified": True}
                session.add(User(**person, project_dirs=["/p"], slurm_accounts=[]))
                await session.flush()
            user = (await session.scalars(select(User))).one()
            profile = (await session.scalars(select(Profile))).one()
            user.profile_id = profile.id
            project = Project(name="p", resource_id=resource.id)
            session.add(project)
            await session.flush()
            member = {"is_owner": True, "is_verified": True, "permissions": "rwx"}
            session.add(ProjectMember(project_id=project.id, user_id=user.id, **member))
            dataset = Dataset(name="d", project_id=project.id, zarr_dir=self.zarr_dir)
            workflow = Workflow(name="w", project_id=project.id)
            group = TaskGroup(user_id=user.id, resource_id=resource.id, origin="other", pkg_name="puppet", version="1")
            session.add_all([dataset, workflow, group])
            await session.flush()
            session.add_all([DatasetImage(dataset_id=dataset.id, attributes={}, types={}, **image) for image in images])
            for order, step in enumerate(steps):
                task = Task(
                    name=f"Step {order}",
                    type=step.type,
                    version="1",
                    command_non_parallel=None if step.type == "parallel" else command,
                    command_parallel=command if "non_parallel" not in step.type else None,
                    meta_non_parallel={},
                    meta_parallel={},
                    input_types=step.input_types,
                    output_types=step.output_types,
                    taskgroupv2_id=group.id,
                )
                session.add(task)
                await session.flush()
                marks = {"marks": str(self.marks)}
                session.add(
                    WorkflowTask(
                        workflow_id=workflow.id,
                        order=order,
                        args_parallel=marks | step.args_parallel,
                        args_non_parallel=marks | step.args_non_parallel,
                        task_type=step.type,
                        task_id=task.id,
                    )
                )
            job = Job(
                project_id=project.id,
                workflow_id=workflow.id,
                dataset_id=dataset.id,
                user_email=user.email,
                dataset_dump={"id": dataset.id, "name": "d"},
                workflow_dump={"id": workflow.id, "name": "w"},
                project_dump={"id": project.id, "name": "p"},
                fractal_server_version="test",
                first_task_index=0,
                last_task_index=len(steps) - 1,
                attribute_filters={},
                type_filters={},
            )
            session.add(job)
            await session.flush()
            folder = names.job_folder(project.id, workflow.id, job.id, utcnow())
            job.working_dir = job.working_dir_user = f"{resource.jobs_local_dir}/{folder}"
            session.add(
                Execution(
                    job_id=job.id,
                    resource_id=resource.id,
                    profile_id=profile.id,
                    user_id=user.id,
                    cache_dir="/cache",
                    state="accepted",
                )
            )
            return job.id

    async def finished(self, job_id: int, timeout_s: float = 60) -> Job:
        """The job, once it is final."""
        async with asyncio.timeout(timeout_s):
            while True:
                with suppress(DBAPIError, OSError):  # while Postgres is away
                    async with self.database.session() as session:
                        statement = select(Job).where(Job.id == job_id).options(undefer(Job.log))
                        job = (await session.scalars(statement)).one()
                    if job.status != "submitted":
                        return job
                await asyncio.sleep(0.02)

    async def images(self, job: Job) -> list[tuple[str, str | None, dict[str, Any], dict[str, bool]]]:
        async with self.database.session() as session:
            statement = select(DatasetImage).where(DatasetImage.dataset_id == job.dataset_id).order_by(DatasetImage.id)
            rows = await session.scalars(statement)
            return [(row.zarr_url, row.origin, row.attributes, row.types) for row in rows]
