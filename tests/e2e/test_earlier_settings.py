"""Identity §13.4: the settings of releases 2.9 to 2.16 still configure an instance."""

import getpass
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from fractal_common.database.models import Profile, Resource, User
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.processes import free_port, is_alive, processes_of, running, until

from .fractalctl import BIN, fractalctl

PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
SLURM = {
    "default_slurm_config": {"partition": "main", "cpus_per_task": 1, "mem": "2G", "pre_submission_commands": []},
    "gpu_slurm_config": {"partition": "gpu", "gpus": "1", "extra_lines": ["#SBATCH --comment=gpu"]},
    "batching_config": {
        "target_num_jobs": 2,
        "max_num_jobs": 4,
        "target_cpus_per_job": 1,
        "max_cpus_per_job": 1,
        "target_mem_per_job": "2G",
        "max_mem_per_job": 4000,
    },
    "user_local_exports": {"CELLPOSE_LOCAL_MODELS_PATH": "cellpose"},
}


def add(folder: Path, **variables: str) -> None:
    with (folder / ".fractal_server.env").open("a") as file:
        file.writelines(f"{name}={value}\n" for name, value in variables.items())


def configure_slurm(folder: Path, config: dict[str, Any] = SLURM) -> None:
    """The minimal file of the public install page of the time, and a little more."""
    (folder / "slurm.json").write_text(json.dumps(config))
    add(
        folder,
        FRACTAL_TASKS_DIR=f"{folder}/tasks",
        FRACTAL_RUNNER_WORKING_BASE_DIR="some_folder_name",
        FRACTAL_RUNNER_BACKEND="slurm",
        FRACTAL_SLURM_CONFIG_FILE="slurm.json",
        FRACTAL_SLURM_POLL_INTERVAL="7",
        FRACTAL_SLURM_WORKER_PYTHON="/opt/python3",
        FRACTAL_TASKS_PYTHON_DEFAULT_VERSION="3.12",
        FRACTAL_TASKS_PYTHON_3_12="/opt/python3.12",
        FRACTAL_TASKS_PYTHON_3_9="/opt/python3.9",
        FRACTAL_PIP_CACHE_DIR="/opt/pip-cache",
        FRACTAL_MAX_PIP_VERSION="24.0",
        FRACTAL_DEFAULT_ADMIN_EMAIL="admin@example.org",
        FRACTAL_DEFAULT_ADMIN_PASSWORD="not-a-secret-1",
    )


def expected_config(mem: int = 2000) -> dict[str, Any]:
    nothing = dict.fromkeys(
        ("constraint", "gres", "exclude", "nodelist", "time", "account", "gpus", "nodes", "cpus_per_task", "mem")
    )
    empty = nothing | {"extra_lines": [], "shebang_line": "#!/bin/sh", "use_mem_per_cpu": False}
    return {
        "default_slurm_config": empty | {"partition": "main", "cpus_per_task": 1, "mem": mem},
        "gpu_slurm_config": empty | {"partition": "gpu", "gpus": "1", "extra_lines": ["#SBATCH --comment=gpu"]},
        "batching_config": SLURM["batching_config"] | {"target_mem_per_job": 2000},
        "user_local_exports": {"CELLPOSE_LOCAL_MODELS_PATH": "cellpose"},
    }


def check_resource(row: Resource, folder: Path, mem: int = 2000) -> None:
    assert (row.name, row.type, row.jobs_poll_interval) == ("SLURM resource", "slurm_sudo", 7)
    assert (row.tasks_local_dir, row.jobs_local_dir) == (f"{folder}/tasks", f"{folder}/some_folder_name")
    assert row.jobs_slurm_python_worker == "/opt/python3"
    assert row.jobs_runner_config == expected_config(mem)
    assert row.tasks_python_config == {
        "default_version": "3.12",
        "versions": {"3.12": "/opt/python3.12", "3.9": "/opt/python3.9"},
        "pip_cache_dir": "/opt/pip-cache",
    }


def test_init_db_data_says_what_became_what(
    configured: Path, bare_environment: dict[str, str], session: Session
) -> None:
    configure_slurm(configured)
    done = fractalctl(configured, bare_environment, "init-db-data", "--resource", "default", "--profile", "default")
    assert done.returncode == 0, done.stderr
    check_resource(session.scalars(select(Resource)).one(), configured)
    profile = session.scalars(select(Profile)).one()
    assert (profile.name, profile.resource_type, profile.username) == ("SLURM profile", "slurm_sudo", getpass.getuser())
    admin = session.scalars(select(User)).one()
    assert (admin.email, admin.is_superuser, admin.profile_id) == ("admin@example.org", True, profile.id)
    of_resource = "of resource 'SLURM resource'"
    for note in (
        "FRACTAL_RUNNER_BACKEND=slurm is slurm_sudo.",
        f"FRACTAL_SLURM_CONFIG_FILE=slurm.json became jobs_runner_config {of_resource}.",
        f"FRACTAL_SLURM_WORKER_PYTHON=/opt/python3 became jobs_slurm_python_worker {of_resource}.",
        f"FRACTAL_SLURM_POLL_INTERVAL=7 became jobs_poll_interval {of_resource}.",
        f"FRACTAL_TASKS_PYTHON_3_9=/opt/python3.9 became tasks_python_config {of_resource}.",
        f"FRACTAL_PIP_CACHE_DIR=/opt/pip-cache became tasks_python_config {of_resource}.",
        f"FRACTAL_RUNNER_WORKING_BASE_DIR=some_folder_name became jobs_local_dir {of_resource}, as "
        f"{configured}/some_folder_name: relative paths are below the working directory.",
    ):
        assert note in done.stdout.splitlines()
    assert f"acts as {getpass.getuser()}" in done.stdout
    assert "FRACTAL_DEFAULT_ADMIN_EMAIL=admin@example.org became the first administrator" in done.stdout
    assert "variable=FRACTAL_MAX_PIP_VERSION" in done.stderr


def test_a_local_instance_keeps_its_limit(configured: Path, bare_environment: dict[str, str], session: Session) -> None:
    (configured / "local.json").write_text(json.dumps({"parallel_tasks_per_job": 3}))
    (configured / "pixi.json").write_text(
        json.dumps({"default_version": "0.47.0", "versions": {"0.47.0": "/pixi/0.47.0"}})
    )
    add(configured, FRACTAL_LOCAL_CONFIG_FILE="local.json", FRACTAL_TASKS_PYTHON_3_10="/opt/python3.10")
    add(configured, FRACTAL_PIXI_CONFIG_FILE="pixi.json")
    done = fractalctl(configured, bare_environment, "init-db-data", "--resource", "default", "--profile", "default")
    assert done.returncode == 0, done.stderr
    row = session.scalars(select(Resource)).one()
    assert (row.name, row.type) == ("Local resource", "local")
    assert row.jobs_runner_config == {"parallel_tasks_per_job": 3}
    assert row.tasks_pixi_config["versions"] == {"0.47.0": "/pixi/0.47.0"}
    assert list(row.tasks_python_config["versions"].values()) == [PYTHON]
    assert "FRACTAL_TASKS_PYTHON_3_10 without FRACTAL_TASKS_PYTHON_DEFAULT_VERSION" in done.stdout


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"FRACTAL_RUNNER_BACKEND": "slurm"},
            "FRACTAL_SLURM_CONFIG_FILE: must be set when FRACTAL_RUNNER_BACKEND=slurm",
        ),
        (
            {"FRACTAL_RUNNER_BACKEND": "slurm", "FRACTAL_SLURM_CONFIG_FILE": "missing.json"},
            "FRACTAL_SLURM_CONFIG_FILE=missing.json: [Errno 2] No such file or directory: 'missing.json'",
        ),
        (
            {"FRACTAL_RUNNER_BACKEND": "slurm", "FRACTAL_SLURM_CONFIG_FILE": "list.json"},
            "FRACTAL_SLURM_CONFIG_FILE=list.json: a JSON object is expected",
        ),
        (
            {"FRACTAL_RUNNER_BACKEND": "slurm", "FRACTAL_SLURM_CONFIG_FILE": "wrong.json"},
            "FRACTAL_SLURM_CONFIG_FILE=wrong.json: jobs_runner_config.default_slurm_config.cpus_per_task: "
            "Input should be greater than 0, not 0",
        ),
        (
            {"FRACTAL_RUNNER_BACKEND": "slurm", "FRACTAL_SLURM_CONFIG_FILE": "commands.json"},
            "FRACTAL_SLURM_CONFIG_FILE: default_slurm_config.pre_submission_commands is not supported any more; "
            "lines of the batch script can be given as extra_lines",
        ),
        (
            {"FRACTAL_TASKS_PYTHON_DEFAULT_VERSION": "3.11"},
            "FRACTAL_TASKS_PYTHON_DEFAULT_VERSION=3.11, but FRACTAL_TASKS_PYTHON_3_11 is not set",
        ),
        (
            {"FRACTAL_PIP_CACHE_DIR": "cache"},
            "FRACTAL_PIP_CACHE_DIR: String must be an absolute path (given 'cache'). "
            "(environment or .fractal_server.env)",
        ),
        (
            {"FRACTAL_RUNNER_BACKEND": "slurm_ssh", "FRACTAL_SLURM_CONFIG_FILE": "slurm.json"},
            "FRACTAL_RUNNER_BACKEND=slurm_ssh: host, key and remote directories are not in variables; "
            "give the resource and the profile as files (init-db-data --resource FILE --profile FILE)",
        ),
    ],
)
def test_what_is_wrong_is_named(
    configured: Path, bare_environment: dict[str, str], session: Session, variables: dict[str, str], message: str
) -> None:
    (configured / "list.json").write_text("[]")
    (configured / "wrong.json").write_text(json.dumps(SLURM | {"default_slurm_config": {"cpus_per_task": 0}}))
    commands = {"default_slurm_config": {"pre_submission_commands": ["module load x"]}}
    (configured / "commands.json").write_text(json.dumps(SLURM | commands))
    add(configured, **variables)
    done = fractalctl(configured, bare_environment, "init-db-data", "--resource", "default", "--profile", "default")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"fractalctl: {message}"
    assert session.scalars(select(Resource)).all() == []


def test_a_start_makes_the_resource_and_keeps_it_as_the_settings_say(
    configured: Path, bare_environment: dict[str, str], session: Session
) -> None:
    configure_slurm(configured)
    session.add(User(email="a@example.org", hashed_password="x", project_dirs=["/p"]))
    session.commit()

    def start() -> str:
        port = free_port()
        argv = [str(BIN / "fractalctl"), "start", "-p", str(port)]
        (configured / "output.log").unlink(missing_ok=True)
        with running(argv, cwd=configured, environment=bare_environment):
            until(lambda: is_alive(f"http://127.0.0.1:{port}"), "the server answers", 60)
        until(lambda: not processes_of(configured), "nothing is left running")
        session.rollback()
        return (configured / "output.log").read_text()

    assert "event=resource.made" in start()
    row = session.scalars(select(Resource)).one()
    check_resource(row, configured)
    profile = session.scalars(select(Profile)).one()
    assert session.scalars(select(User.profile_id)).one() == profile.id

    row.prevent_new_submissions = True
    session.commit()
    larger = SLURM | {"default_slurm_config": SLURM["default_slurm_config"] | {"mem": "3G"}}
    (configured / "slurm.json").write_text(json.dumps(larger))
    log = start()
    assert "event=resource.field" in log
    assert 'note="FRACTAL_SLURM_CONFIG_FILE=slurm.json became jobs_runner_config' in log
    row = session.scalars(select(Resource)).one()
    check_resource(row, configured, mem=3000)
    assert row.prevent_new_submissions  # what no variable says stays as it was set

    assert "event=resource." not in start()
    (configured / "slurm.json").write_text("{")
    done = fractalctl(configured, bare_environment, "start")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("fractalctl: FRACTAL_SLURM_CONFIG_FILE=slurm.json: ")
