"""The whole stack on the test cluster: api, engine, NATS and Postgres, and an agent of the service user."""

import pwd
import shutil
import sys
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from fractal_common.database.models import Profile, Resource, User
from fractal_common.security import issue_token
from fractal_common.settings import DatabaseSettings

from tests.api import Api
from tests.processes import until
from tests.resilience.stack import Stack
from tests.slurm.accounts import SERVICE
from tests.slurm.cluster import ACCOUNT, SlurmCluster
from tests.slurm.site import PYTHON, QUICK, agent_command

TASK = """\
import json, os, sys, time
args = json.load(open(sys.argv[sys.argv.index("--args-json") + 1]))
key = args.get("zarr_url", "init").rpartition("/")[2]
with open(args["marks"], "a") as marks:
    marks.write(key + "\\n")
print("processing", key, flush=True)
exec(args.get("code", {}).get(key, ""))
time.sleep(args.get("sleep", 0))
if key == "init":
    items = [{"zarr_url": url} for url in args["zarr_urls"]]
    json.dump({"parallelization_list": items}, open(sys.argv[sys.argv.index("--out-json") + 1], "w"))
"""
DEFAULT: dict[str, Any] = {"partition": "main", "cpus_per_task": 1, "mem": 50, "time": "5"}
BATCHING = {
    "target_num_jobs": 2,
    "max_num_jobs": 10,
    "target_cpus_per_job": 2,
    "max_cpus_per_job": 4,
    "target_mem_per_job": 200,
    "max_mem_per_job": 1000,
}
CONFIG = {"default_slurm_config": DEFAULT, "batching_config": BATCHING}
_numbers = count(1)


class Lab(Stack):
    """One resource, and for each Unix user a profile and somebody who works with it."""

    def __init__(
        self,
        root: Path,
        settings: DatabaseSettings,
        environment: dict[str, str],
        slurm: SlurmCluster,
        *,
        kind: str = "slurm_sudo",
        agent_user: str = SERVICE,
        **agent: str,
    ) -> None:
        """`agent` are settings of the agent, which runs as `agent_user`."""
        super().__init__(root, settings, environment)
        self.slurm = slurm
        self.kind = kind
        self.agent_user = agent_user
        self.agent_settings = agent
        self.users: dict[str, int] = {}
        self.jobs = root / "jobs"
        self.marks.touch()
        self.marks.chmod(0o666)
        for folder in (self.jobs, root / "tasks"):
            folder.mkdir()
            shutil.chown(folder, agent_user, agent_user)
        for name in ("engine", "engine-2", *self.api_ports):
            argv, variables = self.commands[name]
            self.commands[name] = (argv, variables | {"FRACTAL_RUNNER_BACKEND": kind})
        for name in ("agent", "agent-2"):
            self._place_agent(name)
        (root / "task.py").write_text(TASK)

    def _place_agent(self, name: str) -> None:
        account = pwd.getpwnam(self.agent_user)
        _, variables = self.commands[name]
        state = self.root / f"state-{name}"
        state.mkdir(mode=0o700)
        shutil.chown(state, self.agent_user, self.agent_user)
        kept = {key: value for key, value in variables.items() if not key.startswith(("POSTGRES", "JWT"))}
        become = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        own = {
            "HOME": account.pw_dir,
            "FRACTAL_RUNNER_WORKING_BASE_DIR": str(self.jobs),
            "FRACTAL_TASKS_DIR": str(self.root / "tasks"),
            "FRACTAL_AGENT_STATE_DIR": str(state),
        }
        self.commands[name] = (
            [*become, *agent_command()],
            kept | own | self.slurm.environment | QUICK | self.agent_settings,
        )

    async def prepare(self, *usernames: str, config: Mapping[str, Any] = CONFIG) -> None:
        """Rows of the resource, and of a profile and a user for each Unix user."""
        async with self.database.transaction() as session:
            resource = Resource(
                name="cluster",
                type=self.kind,
                host="login" if self.kind == "slurm_ssh" else None,
                jobs_local_dir=str(self.jobs),
                tasks_local_dir=str(self.root / "tasks"),
                tasks_python_config={"default_version": "3.11", "versions": {"3.11": sys.executable}},
                jobs_poll_interval=0,
                jobs_slurm_python_worker=PYTHON,
                jobs_runner_config=dict(config),
            )
            session.add(resource)
            await session.flush()
            for name in usernames:
                remote = str(self.project_dir(name) / "remote") if self.kind == "slurm_ssh" else None
                profile = Profile(
                    name=name,
                    resource_id=resource.id,
                    resource_type=self.kind,
                    username=name,
                    ssh_key_path="/no/key" if remote else None,
                    jobs_remote_dir=remote,
                    tasks_remote_dir=remote,
                )
                session.add(profile)
                await session.flush()
                user = User(
                    email=f"{name}@example.org",
                    hashed_password="-",
                    is_verified=True,
                    profile_id=profile.id,
                    project_dirs=[str(self.project_dir(name))],
                    slurm_accounts=[ACCOUNT],
                )
                session.add(user)
                await session.flush()
                self.users[name] = user.id

    def project_dir(self, username: str) -> Path:
        return Path(pwd.getpwnam(username).pw_dir) / self.root.name

    def api(self, username: str) -> Api:
        token = issue_token(self.users[username], key=self.jwt_key, lifetime_s=3600)
        return Api(f"http://127.0.0.1:{self.api_ports['api']}", token)

    def keys(self) -> list[str]:
        """Images whose process was started, each as often as it was."""
        return sorted(self.marks.read_text().split())

    def slurm_jobs(self, name: str, count: int, *fields: str) -> list[list[str]]:
        """What sacct has of the jobs of that name, elements of arrays by themselves, once all of them are over."""
        asked = ("sacct", "-X", "-n", "-P", "-a", "-S", "now-1days", f"--name={name}", "-o", ",".join(fields))
        over = (*asked, "-s", "COMPLETED,FAILED,CANCELLED,TIMEOUT,OUT_OF_MEMORY,NODE_FAIL,PREEMPTED", "-E", "now")
        until(lambda: len(self.slurm.run(*over).splitlines()) >= count, f"{count} jobs in sacct")
        return sorted(line.split("|") for line in self.slurm.run(*asked).splitlines())

    async def close(self) -> None:
        for name in list(self.processes):
            self.kill(name)
        for name in self.users:
            self.slurm.run("scancel", f"--user={name}", check=False)
            shutil.rmtree(self.project_dir(name), ignore_errors=True)
        await self.database.close()


class Flow:
    """A project with images `0`, `1`, … and a workflow of one task; its SLURM jobs have the task's name."""

    def __init__(
        self,
        lab: Lab,
        images: int,
        *,
        compound: bool = False,
        meta: Mapping[str, Any] | None = None,
        username: str = SERVICE,
    ) -> None:
        self.lab = lab
        self.api = lab.api(username)
        self.name = f"Task {next(_numbers)} {lab.root.name}"
        command = f"{PYTHON} -I -S {lab.root / 'task.py'}"
        body = {"name": self.name, "version": "1", "command_parallel": command}
        self.task = self.api.post("/api/v2/task/", body | ({"command_non_parallel": command} if compound else {}))["id"]
        self.project = self.api.post("/api/v2/project/", {"name": self.name})["id"]
        self.base = f"/api/v2/project/{self.project}/"
        dataset = self.api.post(f"{self.base}dataset/", {"name": "d"})
        self.dataset = dataset["id"]
        for number in range(images):
            image = {"zarr_url": f"{dataset['zarr_dir']}/{number}"}
            self.api.post(f"{self.base}dataset/{self.dataset}/images/", image)
        self.workflow = self.api.post(f"{self.base}workflow/", {"name": "w"})["id"]
        arguments = {"marks": str(lab.marks)}
        parts: dict[str, Any] = {"args_parallel": arguments, "meta_parallel": dict(meta or {})}
        if compound:
            parts["args_non_parallel"] = arguments
        (self.wftask,) = self.api.post(
            f"{self.base}workflow/{self.workflow}/wftask/", [{"task_id": self.task, **parts}]
        )

    @property
    def slurm_name(self) -> str:
        return self.name.replace(" ", "_")

    def tell(self, **arguments: Any) -> None:
        """More arguments of the parallel part: `sleep`, or `code` by image."""
        path = f"{self.base}workflow/{self.workflow}/wftask/{self.wftask['id']}/"
        self.api.patch(path, {"args_parallel": {"marks": str(self.lab.marks), **arguments}})

    def submit(self, **body: Any) -> dict[str, Any]:
        ids = {"workflow_id": self.workflow, "dataset_id": self.dataset}
        return self.api.post(f"{self.base}job/submit/", body, 202, **ids)

    def finished(self, job: Mapping[str, Any], timeout_s: float = 120) -> dict[str, Any]:
        return self.api.finished(self.project, job["id"], timeout_s)

    def last_job(self) -> dict[str, Any]:
        return self.api.get(f"{self.base}job/")[0]

    def of_job(self, job: Mapping[str, Any], path: str = "") -> Any:
        return self.api.get(f"{self.base}job/{job['id']}/{path}")

    def units(self) -> list[dict[str, Any]]:
        """Of the last run."""
        which = {"dataset_id": self.dataset, "workflowtask_id": self.wftask["id"]}
        run = self.api.get(f"{self.base}status/run/", **which)[-1]
        self.run_id = run["id"]
        return self.api.get(f"{self.base}status/run/{run['id']}/units/", **which)["items"]

    def unit_log(self, unit: Mapping[str, Any]) -> str:
        which = {"dataset_id": self.dataset, "workflowtask_id": self.wftask["id"]}
        ids = {"history_run_id": self.run_id, "history_unit_id": unit["id"]}
        return self.api.get(f"{self.base}status/unit-log/", **which, **ids)
