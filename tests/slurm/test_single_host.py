"""The install page of releases 2.9 to 2.15: one host, its settings file, and a real cluster."""

import json
import os
import pwd
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.api import Api
from tests.processes import free_port, is_alive, processes_of, running, until
from tests.slurm.accounts import SERVICE
from tests.slurm.cluster import SlurmCluster
from tests.slurm.lab import BATCHING
from tests.slurm.site import PYTHON, QUICK

ROOT = Path(__file__).parents[2]
PACKAGES = ("libs/common", "services/auth", "services/jobs", "services/runner-agent", "services/standalone")
EMAIL, PASSWORD = "admin@example.org", "not-a-secret-1"
SLURM = {"default_slurm_config": {"partition": "main", "cpus_per_task": 1, "mem": "50M"}, "batching_config": BATCHING}


@pytest.fixture
def folder() -> Generator[Path]:
    """The service user's: the server runs as that account."""
    with tempfile.TemporaryDirectory(prefix="fractal-host-", ignore_cleanup_errors=True) as directory:
        shutil.chown(directory, SERVICE, SERVICE)
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_the_settings_of_earlier_releases_run_jobs_on_slurm(
    slurm: SlurmCluster, database_environment: dict[str, str], folder: Path
) -> None:
    account = pwd.getpwnam(SERVICE)
    settings = {
        "JWT_SECRET_KEY": "k" * 32,
        "JWT_EXPIRE_SECONDS": "3600",
        **database_environment,
        "FRACTAL_TASKS_DIR": f"{folder}/tasks",
        "FRACTAL_RUNNER_WORKING_BASE_DIR": "some_folder_name",
        "FRACTAL_RUNNER_BACKEND": "slurm",
        "FRACTAL_SLURM_CONFIG_FILE": "slurm.json",
        "FRACTAL_SLURM_WORKER_PYTHON": PYTHON,
        **QUICK,
    }
    (folder / ".fractal_server.env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    (folder / "slurm.json").write_text(json.dumps(SLURM))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": account.pw_dir,
        # The tests' own interpreter may be in a folder that is closed to the service user.
        "PYTHONPATH": ":".join([sysconfig.get_path("purelib"), *(str(ROOT / package) for package in PACKAGES)]),
        **slurm.environment,
    }
    become = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    fractalctl = [*become, PYTHON, "-m", "fractal_server.cli.main"]
    home = Path(account.pw_dir) / folder.name
    admin = ("--admin-email", EMAIL, "--admin-pwd", PASSWORD, "--admin-project-dir", str(home))
    done = subprocess.run(
        [*fractalctl, "init-db-data", "--resource", "default", "--profile", "default", *admin],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "became jobs_runner_config of resource 'SLURM resource'." in done.stdout

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    try:
        with running([*fractalctl, "start", "-p", str(port)], cwd=folder, environment=environment):
            until(lambda: is_alive(url), "the server answers", 90)
            api = Api.login(url, EMAIL, PASSWORD)
            project, dataset, workflow = api.prepared(folder, api.puppet_task(folder, python=PYTHON), images=3)
            job = api.finished(project, api.submit(project, dataset, workflow), 120)
            api.close()
        assert job["status"] == "done", job["log"]
        assert job["working_dir"].startswith(f"{folder}/some_folder_name/")
        assert job["working_dir_user"].startswith(f"{home}/fractal/.fractal_cache/")
        assert len((folder / "marks").read_text().split()) == 3
        assert list(Path(job["working_dir_user"]).glob("*/*-slurm-submit.sh"))
        sacct = ("sacct", "-X", "-n", "-P", "--format=JobName,User,State", f"--user={SERVICE}")
        row = f"Puppet|{SERVICE}|COMPLETED"
        until(lambda: row in slurm.run(*sacct).splitlines(), "accounting knows the job")
        until(lambda: not processes_of(folder), "nothing is left running")
    finally:
        shutil.rmtree(home, ignore_errors=True)
