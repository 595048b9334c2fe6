"""The public install page: set-db, init-db-data, start; gunicorn; and start with nothing configured."""

import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from psycopg import sql

from tests.api import Api
from tests.conftest import PostgresServer
from tests.processes import children_of, free_port, frozen, is_alive, processes_of, running, until

from .fractalctl import BIN, EMAIL, PASSWORD, configure, fractalctl, initialise


@pytest.fixture
def empty_database(postgres_server: PostgresServer) -> dict[str, str]:
    create = sql.SQL("CREATE DATABASE {}")
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    name = sql.Identifier("single_host")
    postgres_server.execute(drop.format(name))
    postgres_server.execute(create.format(name))
    return postgres_server.environment("single_host")


def run_job(url: str, folder: Path, email: str = EMAIL, password: str = PASSWORD) -> None:
    api = Api.login(url, email, password)
    try:
        tasks = api.get("/api/v2/task/")
        task = tasks[0]["id"] if tasks else api.puppet_task(folder)
        project, dataset, workflow = api.prepared(folder, task, images=3)
        job = api.finished(project, api.submit(project, dataset, workflow))
        assert job["status"] == "done", job["log"]
    finally:
        api.close()


def test_set_db_and_init_db_data_say_what_they_do(
    folder: Path, empty_database: dict[str, str], bare_environment: dict[str, str]
) -> None:
    configure(folder, empty_database)
    first = fractalctl(folder, bare_environment, "set-db")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("START: Run alembic.config, with argv=['-c', '")
    assert first.stdout.endswith("alembic.ini', 'upgrade', 'head']\nEND: alembic.config\n")
    assert fractalctl(folder, bare_environment, "set-db").returncode == 0

    done = initialise(folder, bare_environment)
    assert done.returncode == 0, done.stdout + done.stderr
    for line in ("Prepared default resource data.", "Prepared default profile data.", f"for {EMAIL}."):
        assert line in done.stdout
    again = initialise(folder, bare_environment)
    assert (again.returncode, "There exist already num_resources=1 resources. Exit." in again.stdout) == (1, True)


def test_init_db_data_refuses_what_is_half_or_wrong(configured: Path, bare_environment: dict[str, str]) -> None:
    (configured / "wrong.json").write_text(json.dumps({"type": "local"}))
    for arguments, text in [
        (("--admin-email", EMAIL), "You must provide either both or none of `--admin-email`, `--admin-pwd` and "),
        (("--resource", "default"), "You must provide both --resource and --profile. Exit."),
        (("--resource", "missing.json", "--profile", "default"), "missing.json"),
        (("--resource", "wrong.json", "--profile", "default"), "ERROR: Invalid resource data."),
    ]:
        done = fractalctl(configured, bare_environment, "init-db-data", *arguments)
        assert done.returncode == 1
        assert text in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_a_half_configured_database_is_named(folder: Path, bare_environment: dict[str, str]) -> None:
    done = fractalctl(folder, bare_environment | {"POSTGRES_USER": "somebody"}, "start")
    assert done.returncode == 1
    assert done.stderr.startswith("fractalctl: POSTGRES_DB: ")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"JWT_SECRET_KEY": None}, "JWT_SECRET_KEY: Field required"),
        ({"JWT_EXPIRE_SECONDS": "soon"}, "JWT_EXPIRE_SECONDS: Input should be a valid integer"),
        ({"FRACTAL_EMAIL_SENDER": "a@example.org"}, "Invalid FRACTAL_EMAIL configuration: FRACTAL_EMAIL_SMTP_SERVER, "),
        ({"OAUTH_CLIENT_NAME": "google", "OAUTH_CLIENT_ID": "x"}, "OAUTH_CLIENT_SECRET must be set with "),
    ],
)
def test_a_wrong_setting_is_named_before_anything_starts(
    configured: Path, bare_environment: dict[str, str], settings: dict[str, str | None], message: str
) -> None:
    lines = (configured / ".fractal_server.env").read_text().splitlines()
    kept = [line for line in lines if line.partition("=")[0] not in settings]
    kept += [f"{name}={value}" for name, value in settings.items() if value is not None]
    (configured / ".fractal_server.env").write_text("\n".join(kept))
    done = fractalctl(configured, bare_environment, "start", "-p", str(free_port()))
    assert done.returncode == 1
    assert done.stderr.startswith(f"fractalctl: {message}")
    assert done.stderr.count("\n") == 1


def test_start_serves_the_app_and_runs_jobs(configured: Path, bare_environment: dict[str, str]) -> None:
    resource = {
        "type": "local",
        "name": "here",
        "jobs_local_dir": str(configured / "some" / "jobs"),
        "tasks_local_dir": str(configured / "some" / "tasks"),
        "jobs_poll_interval": 0,
        "tasks_python_config": {"default_version": "3.11", "versions": {"3.11": sys.executable}},
        "tasks_pixi_config": {},
        "jobs_runner_config": {},
    }
    (configured / "resource.json").write_text(json.dumps(resource))
    done = initialise(configured, bare_environment, "--resource", "resource.json", "--profile", "default")
    assert done.returncode == 0, done.stdout + done.stderr
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    argv = [str(BIN / "fractalctl"), "start", "-p", str(port)]
    with running(argv, cwd=configured, environment=bare_environment) as server:
        until(lambda: is_alive(url), "the server answers")
        second = fractalctl(configured, bare_environment | {"FRACTAL_HOME": str(configured / "2")}, *argv[1:])
        assert (second.returncode, "is not free to listen on" in second.stderr) == (3, True)
        run_job(url, configured)
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    until(lambda: not processes_of(configured), "nothing is left running")


def test_reload_serves_the_app(configured: Path, bare_environment: dict[str, str]) -> None:
    assert initialise(configured, bare_environment).returncode == 0
    port = free_port()
    argv = [str(BIN / "fractalctl"), "start", "--host", "0.0.0.0", "--port", str(port), "--reload"]
    with running(argv, cwd=configured, environment=bare_environment):
        until(lambda: is_alive(f"http://127.0.0.1:{port}"), "the server answers")
        run_job(f"http://127.0.0.1:{port}", configured)
    until(lambda: not processes_of(configured), "nothing is left running")


def test_gunicorn_workers_run_jobs_and_replace_each_other(configured: Path, bare_environment: dict[str, str]) -> None:
    assert initialise(configured, bare_environment).returncode == 0
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    argv = [str(BIN / "gunicorn"), "fractal_server.main:app", "--workers", "2", "--bind", f"127.0.0.1:{port}"]
    argv += ["--worker-class", "fractal_server.gunicorn_fractal.FractalWorker"]
    argv += ["--logger-class", "fractal_server.gunicorn_fractal.FractalGunicornLogger"]
    with running(argv, cwd=configured, environment=bare_environment):
        until(lambda: is_alive(url), "the server answers")
        run_job(url, configured)
        runtime = json.loads((configured / ".fractal" / "runtime.json").read_text())
        os.kill(runtime["supervisor"], signal.SIGKILL)
        run_job(url, configured)
        taken_over = json.loads((configured / ".fractal" / "runtime.json").read_text())
        assert taken_over["supervisor"] != runtime["supervisor"]
    until(lambda: not processes_of(configured), "nothing is left running")


def test_a_gunicorn_worker_that_times_out_ends_in_order(configured: Path, bare_environment: dict[str, str]) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    argv = [str(BIN / "gunicorn"), "fractal_server.main:app", "--bind", f"127.0.0.1:{port}", "--timeout", "10"]
    argv += ["--worker-class", "fractal_server.gunicorn_fractal.FractalWorker"]
    argv += ["--logger-class", "fractal_server.gunicorn_fractal.FractalGunicornLogger"]

    def said(text: str) -> bool:
        return text in (configured / "output.log").read_text()

    with running(argv, cwd=configured, environment=bare_environment) as gunicorn:
        until(lambda: is_alive(url), "the server answers")
        (worker,) = children_of(gunicorn.pid)
        with frozen(worker):
            until(lambda: said(f"WORKER TIMEOUT (pid:{worker})"), "the arbiter gives up on the worker")
        until(lambda: is_alive(url) and children_of(gunicorn.pid) not in ([], [worker]), "another worker answers")
    log = (configured / "output.log").read_text()
    steps = (
        f"[FractalWorker.init_signals - pid={worker}] Set `custom_handle_abort` for SIGABRT",
        f"[FractalWorker.custom_handle_abort - pid={worker}] Now send SIGTERM to process.",
        f"START: worker with pid {worker} is shutting down",
        f"Finished server process [{worker}]",
    )
    places = [log.find(step) for step in steps]
    assert -1 not in places, log
    assert places == sorted(places)
    assert "SIGKILL" not in log
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d   - gunicorn.error - CRITICAL - \[pid \d+\] - WORKER", log)
    until(lambda: not processes_of(configured), "nothing is left running")


def test_stopping_the_server_leaves_running_jobs_alone(configured: Path, bare_environment: dict[str, str]) -> None:
    assert initialise(configured, bare_environment).returncode == 0
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    argv = [str(BIN / "fractalctl"), "start", "-p", str(port)]
    marks = configured / "marks"
    with running(argv, cwd=configured, environment=bare_environment) as server:
        until(lambda: is_alive(url), "the server answers")
        api = Api.login(url, EMAIL, PASSWORD)
        project, dataset, workflow = api.prepared(configured, api.puppet_task(configured), images=2, sleep=15)
        job = api.submit(project, dataset, workflow)
        until(lambda: marks.exists() and len(marks.read_text().split()) == 2, "both processes have begun")
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    puppets = [pid for pid, command in processes_of(configured).items() if "puppet.py" in command]
    assert len(puppets) >= 2
    with running(argv, cwd=configured, environment=bare_environment):
        until(lambda: is_alive(url), "the server answers")
        assert api.finished(project, job)["status"] == "done"
        api.close()
    assert len(marks.read_text().split()) == 2


def test_start_with_nothing_configured_brings_its_own_postgres(folder: Path, bare_environment: dict[str, str]) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    argv = [str(BIN / "fractalctl"), "start", "-p", str(port)]
    for _ in range(2):  # the second start finds the first one's data
        with running(argv, cwd=folder, environment=bare_environment) as server:
            until(lambda: is_alive(url), "the server answers")
            password = (folder / ".fractal" / "secrets" / "admin_password").read_text()
            run_job(url, folder, password=password)
            server.send_signal(signal.SIGKILL)  # nothing stays locked
        until(lambda: not processes_of(folder), "nothing is left running")
    assert len((folder / "marks").read_text().split()) == 6
