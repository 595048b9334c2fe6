"""The public fractal-server from PyPI, to be measured in the same run as ours."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg

VERSION = "2.24.2"
EMAIL = "admin@example.org"


class Reference:
    """Installed into a folder of its own; uses a database of its own beside ours."""

    def __init__(
        self,
        folder: Path,
        python: str,
        database: dict[str, str],
        *,
        venv: Path | None = None,
        settings: dict[str, str] | None = None,
        resource: Mapping[str, Any] | None = None,
        username: str | None = None,
    ) -> None:
        """`python`: 3.12 or newer, for the virtual environment; `database`: the `POSTGRES_*` of a running server.

        An environment in `venv` is used again; `settings` are variables of the server. `resource` is one of a cluster,
        for jobs of the Unix user `username`; without it the server runs jobs itself.
        """
        self.folder = folder
        folder.mkdir()
        folder.chmod(0o777)
        self._bin = install(venv or folder / "venv", python)
        with psycopg.connect(
            host=database["POSTGRES_HOST"],
            port=database["POSTGRES_PORT"],
            user=database["POSTGRES_USER"],
            password=database["POSTGRES_PASSWORD"],
            dbname="postgres",
            autocommit=True,
        ) as connection:
            connection.execute("CREATE DATABASE reference")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FRACTAL_")},
            **database,
            "POSTGRES_DB": "reference",
            "JWT_SECRET_KEY": secrets.token_urlsafe(32),
            "JWT_EXPIRE_SECONDS": "36000",
            "FRACTAL_RUNNER_BACKEND": resource["type"] if resource else "local",
            **(settings or {}),
        }
        self.password = password = secrets.token_hex(12)  # never begins with a dash, as an option does
        self._fractalctl("set-db")
        admin = ["--admin-email", EMAIL, "--admin-pwd", password, "--admin-project-dir", str(folder / "projects")]
        self._fractalctl("init-db-data", *self._place(resource, username), *admin)
        port = free_port()
        with (folder / "server.log").open("wb") as output:
            self._process = subprocess.Popen(
                [str(self._bin / "fractalctl"), "start", "--port", str(port)],
                cwd=folder,
                env=self._environment,
                stdout=output,
                stderr=output,
            )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120)
        self._log_in(password)

    def _place(self, resource: Mapping[str, Any] | None, username: str | None) -> list[str]:
        """Options that say where jobs run."""
        if resource is None:
            return ["--resource", "default", "--profile", "default"]
        worker = {"jobs_slurm_python_worker": str(self._bin / "python")}
        profile = {"name": "profile", "resource_type": resource["type"], "username": username}
        for name, document in (("resource", {**resource, **worker}), ("profile", profile)):
            (self.folder / f"{name}.json").write_text(json.dumps(document))
        return ["--resource", "resource.json", "--profile", "profile.json"]

    def _fractalctl(self, *arguments: str) -> None:
        argv = [str(self._bin / "fractalctl"), *arguments]
        done = subprocess.run(argv, cwd=self.folder, env=self._environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"reference: {arguments[0]}: {done.stderr}")

    def _log_in(self, password: str) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                answer = self.http.post("/auth/token/login/", data={"username": EMAIL, "password": password})
                break
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    sys.exit("reference: does not answer")
                time.sleep(0.1)
        self.http.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        answer = self.http.request(method, f"/api/v2{path}", json=body, params=params).raise_for_status()
        return answer.json() if answer.content else None

    def task(self, script: Path, python: str = sys.executable) -> int:
        body = {
            "name": f"no-op {time.monotonic_ns()}",
            "version": "1",
            "command_parallel": f"{python} -I -S {script}",
        }
        return self.call("POST", "/task/", body)["id"]

    def run(self, task: int, images: int, processes: int, **meta: int) -> float:
        """Seconds from the submission of a job with one task over so many images to its end."""
        project = self.call("POST", "/project/", {"name": f"images {images} {time.monotonic_ns()}"})["id"]
        zarr_dir = str(self.folder / "projects" / str(project))
        urls = [{"zarr_url": f"{zarr_dir}/{number:06}.zarr"} for number in range(images)]
        body = {"name": "d", "zarr_dir": zarr_dir, "images": urls}
        dataset = self.call("POST", f"/project/{project}/dataset/import/", body)["id"]
        workflow = self.call("POST", f"/project/{project}/workflow/", {"name": "w"})["id"]
        wftask = {"task_id": task, "meta_parallel": {"parallel_tasks_per_job": processes, **meta}}
        self.call("POST", f"/project/{project}/workflow/{workflow}/wftask/", [wftask])
        begun = time.time()
        job = self.call("POST", f"/project/{project}/job/submit/", {}, workflow_id=workflow, dataset_id=dataset)["id"]
        while True:
            row = self.call("GET", f"/project/{project}/job/{job}/")
            if row["status"] != "submitted":
                break
            time.sleep(0.05)
        if row["status"] != "done":
            sys.exit(f"reference: job {job} {row['status']}: {row['log']}")
        return datetime.fromisoformat(row["end_timestamp"]).timestamp() - begun

    def close(self) -> None:
        self.http.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)


def install(venv: Path, python: str) -> Path:
    """The folder of its programs; an environment that is there already is left as it is."""
    programs = venv / "bin"
    if not (programs / "fractalctl").exists():
        subprocess.run([python, "-m", "venv", str(venv)], check=True)
        pip = [str(programs / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, f"fractal-server=={VERSION}"], check=True, stderr=subprocess.DEVNULL)
    return programs


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
