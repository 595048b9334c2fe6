"""Bodies of resources and profiles, with the least that they need."""

from itertools import count
from typing import Any

RESOURCE_KEYS = [
    *("id", "name", "type", "prevent_new_submissions", "timestamp_created", "host", "jobs_local_dir"),
    *("jobs_runner_config", "jobs_slurm_python_worker", "jobs_poll_interval", "tasks_local_dir"),
    *("tasks_python_config", "tasks_pixi_config"),
]
PROFILE_KEYS = [
    *("id", "name", "resource_id", "resource_type", "username", "ssh_key_path", "jobs_remote_dir"),
    *("tasks_remote_dir", "pixi_cache_dir"),
]
BATCHING = {
    "target_num_jobs": 1,
    "max_num_jobs": 2,
    "target_cpus_per_job": 1,
    "max_cpus_per_job": 1,
    "target_mem_per_job": "1G",
    "max_mem_per_job": 500,
}
SLURM = {
    "default_slurm_config": {"partition": "main", "cpus_per_task": 1, "mem": "100M"},
    "batching_config": BATCHING,
}
numbers = count(1)


def local(**changes: Any) -> dict[str, Any]:
    return {
        "type": "local",
        "name": f"resource {next(numbers)}",
        "tasks_python_config": {"default_version": "3.12", "versions": {"3.12": "/usr/bin/python"}},
        "tasks_pixi_config": {},
        "tasks_local_dir": "/t/",
        "jobs_local_dir": "/j",
        "jobs_runner_config": {},
    } | changes


def sudo(**changes: Any) -> dict[str, Any]:
    return local(type="slurm_sudo", jobs_runner_config=SLURM, jobs_slurm_python_worker="/usr/bin/python3") | changes


def ssh(**changes: Any) -> dict[str, Any]:
    return sudo(type="slurm_ssh", host="cluster.example.org") | changes


def ssh_profile(**changes: Any) -> dict[str, Any]:
    remote = {"ssh_key_path": "/k", "jobs_remote_dir": "/j/", "tasks_remote_dir": "/t"}
    return {"resource_type": "slurm_ssh", "name": f"profile {next(numbers)}", "username": "u"} | remote | changes
