"""An agent on the test cluster; the test speaks as the engine, over a real NATS."""

import asyncio
import json
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fractal_common.bus import EVENTS, Bus, Consumer
from fractal_common.messages import (
    BatchCancel,
    BatchFinished,
    BatchRun,
    BatchRunning,
    BatchSubmitted,
    CommandRefused,
    Event,
    JobArchive,
    SlurmJob,
    UnitOutcome,
    UnitsFinished,
    UnitSpec,
    command_subject,
)
from fractal_common.settings import NatsSettings
from pydantic import TypeAdapter

from tests.slurm.accounts import SERVICE
from tests.slurm.cluster import SlurmCluster

PYTHON = "/usr/bin/python3"
TASK = """\
import json, os, sys, time
args = json.load(open(sys.argv[sys.argv.index("--args-json") + 1]))
with open(args["marks"], "a") as marks:
    marks.write("%d\\n" % args["n"])
print("unit", args["n"], flush=True)
exec(args.get("code", ""))
time.sleep(args.get("sleep", 0))
json.dump({"image_list_updates": []}, open(sys.argv[sys.argv.index("--out-json") + 1], "w"))
"""
QUICK = {
    "FRACTAL_AGENT_SLURM_INTERVAL_S": "0.5",
    "FRACTAL_AGENT_SLURM_GRACE_S": "2",
    "FRACTAL_AGENT_SLURM_SETTLE_S": "3",
    "FRACTAL_AGENT_SLURM_TIMEOUT_S": "15",
    "FRACTAL_AGENT_SLURM_WAVE_WAIT_S": "1",
    "FRACTAL_AGENT_SLURM_LOST_S": "20",
    "FRACTAL_AGENT_SLURM_UNAVAILABLE_S": "2",
    "FRACTAL_AGENT_SLURM_COMMANDS_PER_S": "20",
}
_events: TypeAdapter[Event] = TypeAdapter(Event)


def agent_command() -> list[str]:
    """With an interpreter that the service user may run; that of the tests may be in root's home."""
    if not Path(sys.executable).resolve().is_relative_to(Path.home()):
        return [sys.executable, "-m", "fractal_agent"]
    packages = sysconfig.get_path("purelib")
    start = f"import runpy, site; site.addsitedir({packages!r}); runpy.run_module('fractal_agent', run_name='__main__')"
    return [PYTHON, "-c", start]


class Site:
    """Directories, agents and what they told."""

    def __init__(self, root: Path, bus: Bus, nats: NatsSettings, resource_id: int, slurm: SlurmCluster) -> None:
        self.root = root
        self.bus = bus
        self.resource_id = resource_id
        self.slurm = slurm
        self.jobs = root / "jobs"
        self.marks = root / "marks"
        self.marks.mkdir()
        self.marks.chmod(0o1777)
        for folder in (self.jobs, root / "tasks"):
            folder.mkdir()
            shutil.chown(folder, SERVICE, SERVICE)
        (root / "task.py").write_text(TASK)
        assert nats.FRACTAL_NATS_PASSWORD is not None
        self.environment = {
            "PATH": os.environ["PATH"],
            "FRACTAL_NATS_URL": nats.FRACTAL_NATS_URL,
            "FRACTAL_NATS_USER": "agent",
            "FRACTAL_NATS_PASSWORD": nats.FRACTAL_NATS_PASSWORD.get_secret_value(),
            "FRACTAL_AGENT_RESOURCE_ID": str(resource_id),
            "FRACTAL_RUNNER_WORKING_BASE_DIR": str(self.jobs),
            "FRACTAL_TASKS_DIR": str(root / "tasks"),
            **slurm.environment,
            **QUICK,
        }
        self.projects: list[Path] = []
        self.agents: list[subprocess.Popen[bytes]] = []
        self.outcomes: dict[str, dict[int, UnitOutcome]] = {}
        self.finished: dict[str, BatchFinished] = {}
        self.handles: dict[str, str] = {}
        self.running: set[str] = set()
        self.refused: list[CommandRefused] = []
        self.told: list[Event] = []
        self.consumer: Consumer = bus.consumer(EVENTS, f"test-{resource_id}")

    # Agents

    def start(self, name: str = "first", user: str = SERVICE, **environment: str) -> subprocess.Popen[bytes]:
        state = self.root / f"state-{name}"
        if not state.exists():
            state.mkdir(mode=0o700)
            shutil.chown(state, user, user)
        account = pwd.getpwnam(user)
        with (self.root / f"agent-{name}.log").open("ab") as log:
            agent = subprocess.Popen(
                agent_command(),
                env={**self.environment, "HOME": account.pw_dir, "FRACTAL_AGENT_STATE_DIR": str(state), **environment},
                user=account.pw_uid,
                group=account.pw_gid,
                extra_groups=[],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )
        self.agents.append(agent)
        return agent

    def kill(self, agent: subprocess.Popen[bytes] | None = None) -> None:
        agent = agent or self.agents[-1]
        agent.kill()
        agent.wait()

    def log(self, name: str = "first") -> str:
        return (self.root / f"agent-{name}.log").read_text()

    def project(self, user: str) -> Path:
        """A project directory of a user's, made by the user."""
        folder = Path(pwd.getpwnam(user).pw_dir) / f"project-{self.resource_id}"
        if not folder.exists():
            self.slurm.run("mkdir", str(folder), user=user)
            self.projects.append(folder)
        return folder

    def audit(self, name: str = "first") -> list[dict[str, str]]:
        lines = (self.root / f"state-{name}" / "audit.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        for agent in self.agents:
            if agent.poll() is None:
                self.kill(agent)
        names = [f"--name={name}" for name in {self.job_name}]
        self.slurm.run("scancel", *names, check=False)
        for folder in self.projects:
            shutil.rmtree(folder, ignore_errors=True)

    # Messages

    @property
    def job_name(self) -> str:
        """Of all SLURM jobs of this site: to count them."""
        return f"task_{self.resource_id}"

    def wave(
        self,
        job: str,
        batches: int = 1,
        units: int = 1,
        *,
        processes: int = 4,
        username: str | None = None,
        working_dir_user: Path | None = None,
        memory_mb: int = 50,
        options: dict[str, str] | None = None,
        extra_lines: list[str] | None = None,
        exports: dict[str, str] | None = None,
        codes: dict[int, str] | None = None,
        single: bool = False,
        python: str | None = PYTHON,
        **args: Any,
    ) -> list[BatchRun]:
        working_dir = self.jobs / "2026-11" / job
        slurm = SlurmJob(
            options={
                "partition": "main",
                "ntasks": str(min(processes, units)),
                "cpus-per-task": "1",
                "mem": f"{min(processes, units) * memory_mb}M",
                "job-name": self.job_name,
                **(options or {}),
            },
            extra_lines=extra_lines or [],
            exports=exports or {},
            python=python,
            memory_per_unit_mb=memory_mb,
        )
        names = ["non_par-" if single else f"par-{n // units:06d}-{n:07d}" for n in range(batches * units)]
        codes = codes or {}
        specs = [
            UnitSpec(index=n, name=name, before={"n": n, "code": codes.get(n, "")}, after={})
            for n, name in enumerate(names)
        ]
        return [
            BatchRun(
                batch=f"{job}-{self.resource_id}" if batches == 1 else f"{job}-{self.resource_id}-{index:06d}",
                job_id=self.resource_id,
                working_dir=str(working_dir),
                new_working_dir=True,
                working_dir_user=str(working_dir_user or working_dir),
                folder=str(working_dir / "0_task"),
                command=[PYTHON, "-I", "-S", str(self.root / "task.py")],
                environment={"FRACTAL_CACHE_DIR": "/nowhere"},
                processes=processes,
                common={"marks": str(self.marks / job), **args},
                units=specs[index * units : (index + 1) * units],
                workflow_log="first line\n",
                username=username,
                slurm=slurm,
                wave=f"{job}-{self.resource_id}-wave",
                wave_batches=batches,
                wave_index=index,
            )
            for index in range(batches)
        ]

    async def say(self, *commands: BatchRun | BatchCancel | JobArchive) -> None:
        verbs = {BatchRun: "batch.run", BatchCancel: "batch.cancel", JobArchive: "batch.archive"}
        for command in commands:
            subject = command_subject(self.resource_id, verbs[type(command)])
            await self.bus.publish(subject, command, message_id=uuid.uuid4().hex)

    async def cancel(self, *batches: BatchRun) -> None:
        await self.say(
            *(BatchCancel(batch=one.batch, job_id=one.job_id, working_dir=one.working_dir) for one in batches)
        )

    async def until(self, condition: Callable[[], object], timeout_s: float = 60) -> None:
        """Take in events until the condition holds."""
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    assert all(agent.poll() in (None, -9) for agent in self.agents), self.log()
                    for delivery in await self.consumer.fetch(50, 0.1):
                        self._hear(_events.validate_json(delivery.data))
                        await delivery.ack()
        except TimeoutError:
            logs = "\n".join(file.read_text()[-4000:] for file in self.root.glob("agent-*.log"))
            queue = self.slurm.run("squeue", "--states=all", check=False)
            open_ = sorted(self.handles.keys() - self.finished.keys())
            raise AssertionError(f"not within {timeout_s} s; open: {open_}\n{logs}\n{queue}") from None

    async def finish(self, *batches: BatchRun, timeout_s: float = 60) -> None:
        await self.until(lambda: all(one.batch in self.finished for one in batches), timeout_s)

    def _hear(self, event: Event) -> None:
        self.told.append(event)
        match event:
            case UnitsFinished():
                known = self.outcomes.setdefault(event.batch, {})
                known.update({outcome.index: outcome for outcome in event.outcomes})
            case BatchFinished():
                self.finished[event.batch] = event
            case BatchSubmitted():
                self.handles[event.batch] = event.handle
            case BatchRunning():
                self.running.add(event.batch)
            case CommandRefused():
                self.refused.append(event)
            case _:
                pass

    # What happened

    def started(self, job: str) -> list[int]:
        """Units whose process was started, each as often as it was."""
        file = self.marks / job
        return sorted(int(line) for line in file.read_text().split()) if file.exists() else []

    async def until_started(self, job: str, count: int) -> None:
        await self.until(lambda: len(self.started(job)) >= count)

    def folder(self, job: str) -> Path:
        return self.jobs / "2026-11" / job

    def slurm_jobs(self) -> list[str]:
        """All SLURM jobs that this site ever had, elements of arrays by themselves."""
        rows = self.slurm.run(
            "sacct", "-X", "-n", "-P", "-a", "-S", "now-1days", f"--name={self.job_name}", "-o", "JobID"
        )
        return rows.split()

    def worker(self, run: BatchRun) -> dict[str, Any]:
        file = Path(run.working_dir_user) / ".fractal" / run.batch / "worker.json"
        return json.loads(file.read_text())
