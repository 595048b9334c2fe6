"""Debian's own SLURM and what it is looked after with, installed when it is missing."""

import os
import subprocess

BASE = ["slurmctld", "slurmd", "slurm-client", "slurm-wlm-basic-plugins", "munge", "sudo", "systemd"]
ACCOUNTING = ["slurmdbd", "slurm-wlm-mysql-plugin", "mariadb-server"]


def install() -> None:
    """Idempotent; needs root and a Debian whose archive answers."""
    missing = [name for name in [*BASE, *ACCOUNTING] if not _is_installed(name)]
    if not missing:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if subprocess.run(command, env=environment, capture_output=True).returncode:
        subprocess.run(["apt-get", "update"], env=environment, check=True, capture_output=True)
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def _is_installed(name: str) -> bool:
    done = subprocess.run(["dpkg-query", "-W", "-f=${Status}", name], capture_output=True, text=True)
    return "install ok installed" in done.stdout
