"""`docker compose up` from a clean clone: healthy, secrets of its own, a job through it, restarts. Needs an engine."""

import json
import os
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.api import Api
from tests.processes import free_port, is_alive, until

FOLDER = Path(__file__).parents[2] / "deploy" / "compose"
HEALTHY = {"auth", "gateway", "jobs-api", "nats", "postgres"}
RUNNING = HEALTHY | {"agent", "jobs-engine"}


class Project:
    def __init__(self, data: Path, port: int) -> None:
        self.data = data
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {**os.environ, "FRACTAL_DATA": str(data), "FRACTAL_PORT": str(port)}

    def compose(self, *words: str) -> str:
        argv = ["docker", "compose", "--project-name", "fractal-test", *words]
        done = subprocess.run(
            argv, cwd=FOLDER, env=self.environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def states(self) -> dict[str, str]:
        """Service → health, or state where there is no health check."""
        rows = [json.loads(line) for line in self.compose("ps", "--format", "json").splitlines()]
        return {row["Service"]: row["Health"] or row["State"] for row in rows}


@pytest.fixture(scope="module")
def project() -> Generator[Project]:
    with tempfile.TemporaryDirectory(prefix="fractal-compose-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        project = Project(Path(directory), free_port())
        try:
            project.compose("up", "--build", "--detach", "--wait")
            yield project
        finally:
            project.compose("down", "--volumes")


def run_job(project: Project, name: str) -> None:
    password = project.compose("exec", "-T", "jobs-api", "cat", "/run/secrets/FRACTAL_ADMIN_PASSWORD")
    api = Api.login(project.url, "admin@example.org", password)
    folder = project.data / name
    folder.mkdir()
    folder.chmod(0o777)
    task = api.puppet_task(folder, name, python="python3")
    prepared = api.prepared(folder, task, images=5)
    job = api.finished(prepared[0], api.submit(*prepared))
    assert job["status"] == "done", job["log"]
    assert len((folder / "marks").read_text().split()) == 5
    api.close()


def test_everything_is_healthy_and_runs_a_job(project: Project) -> None:
    states = project.states()
    assert states.keys() == RUNNING
    assert {service for service, state in states.items() if state == "healthy"} == HEALTHY
    run_job(project, "first")


def test_who_may_not_know_a_secret_does_not_have_it(project: Project) -> None:
    def secrets(service: str) -> set[str]:
        return set(project.compose("exec", "-T", service, "ls", "/run/secrets").split())

    assert secrets("agent") == {"FRACTAL_NATS_PASSWORD"}
    assert secrets("postgres") == {"POSTGRES_PASSWORD"}
    assert "JWT_SECRET_KEY" in secrets("jobs-api")
    configuration = project.compose("config")
    for name in ("POSTGRES_PASSWORD:", "JWT_SECRET_KEY:", "FRACTAL_NATS_PASSWORD:"):
        assert name not in configuration


@pytest.mark.parametrize("service", sorted(RUNNING))
def test_a_service_that_restarts_is_found_again(project: Project, service: str) -> None:
    project.compose("restart", service)
    until(lambda: is_alive(project.url), "the gateway answers")
    run_job(project, f"after-{service}")


def test_another_start_keeps_secrets_and_data(project: Project) -> None:
    project.compose("down")
    project.compose("up", "--detach", "--wait")
    run_job(project, "second-start")
