"""Every sub-command of the public command-line client: project, dataset, workflow, template, task, job."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api import PUPPET, Api
from tests.wheels import make_wheel

from .embedded import Embedded

CLIENT = Path(".venv-client/bin/fractal").absolute()
PASSWORD = "a long password"
Command = Callable[..., Any]


class Client:
    """The client of one user; what it prints is JSON in its verbose form, words with `--batch`."""

    def __init__(self, embedded: Embedded, user: str, password: str, folder: Path) -> None:
        self.environment = {
            **embedded.environment,
            "FRACTAL_SERVER": embedded.url,
            "FRACTAL_USER": user,
            "FRACTAL_PASSWORD": password,
            "FRACTAL_CACHE_PATH": str(folder / f"cache-{user}"),
        }
        self.folder = folder

    def run(self, *words: object, code: int = 0, batch: bool = False) -> str:
        argv = [CLIENT, *(["--batch"] if batch else []), *map(str, words)]
        done = subprocess.run(
            argv, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def ids(self, *words: object) -> list[str]:
        return self.run(*words, batch=True).split()

    def json(self, *words: object) -> Any:
        return json.loads(self.run(*words))

    def file(self, name: str, content: Any) -> Path:
        path = self.folder / name
        path.write_text(json.dumps(content))
        return path


@pytest.fixture(scope="module")
def administrator(embedded: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(embedded, "admin@example.org", embedded.password, tmp_path_factory.mktemp("administrator"))


@pytest.fixture
def client(embedded: Embedded, administrator: Client, tmp_path: Path) -> Client:
    """A new user."""
    email = f"client{time.monotonic_ns()}@example.org"
    (user,) = administrator.ids("user", "register", email, PASSWORD, tmp_path)
    administrator.run("user", "edit", user, "--make-verified", "--new-profile-id", "1")
    return Client(embedded, email, PASSWORD, tmp_path)


@pytest.fixture
def project(client: Client) -> str:
    (project,) = client.ids("project", "new", "from the client")
    return project


@pytest.fixture
def task(client: Client, tmp_path: Path) -> str:
    script = tmp_path / "puppet.py"
    script.write_text(PUPPET)
    command = f"{sys.executable} -I -S {script}"
    name = f"Puppet {time.monotonic_ns()}"
    words = ("--version", "1", "--command-parallel", command, "--task-type", "parallel")
    (task,) = client.ids("task", "new", name, *words)
    return task


def test_projects_and_datasets(client: Client, project: str) -> None:
    assert "from the client" in client.run("project", "list")
    assert client.json("project", "show", project)["name"] == "from the client"
    assert client.json("project", "edit", project, "--new-name", "renamed")["name"] == "renamed"
    (dataset,) = client.ids("project", "add-dataset", project, "images")
    assert client.json("dataset", "show", project, dataset)["name"] == "images"
    assert client.json("dataset", "edit", project, dataset, "--new-name", "pictures")["name"] == "pictures"
    client.run("dataset", "delete", project, dataset)
    assert client.json("dataset", "show", project, dataset) == {"detail": "Dataset not found"}
    client.run("project", "delete", project)
    assert "renamed" not in client.run("project", "list")


def test_workflows(client: Client, project: str, task: str) -> None:
    (workflow,) = client.ids("workflow", "new", "flow", project)
    assert "flow" in client.run("workflow", "list", project)
    assert client.json("workflow", "edit", project, workflow, "--new-name", "stream")["name"] == "stream"
    arguments = client.file("args.json", {"a": 1})
    words = ("--task-id", task, "--args-parallel", arguments, "--meta-parallel", client.file("meta.json", {"m": 2}))
    (wftask,) = [one["id"] for one in client.json("workflow", "add-task", project, workflow, *words)]
    changed = (
        "--args-parallel",
        client.file("other.json", {"b": 2}),
        "--type-filters",
        client.file("t.json", {"x": True}),
    )
    edited = client.json("workflow", "edit-task", project, workflow, wftask, *changed)
    assert (edited["args_parallel"], edited["type_filters"], edited["meta_parallel"]) == (
        {"b": 2},
        {"x": True},
        {"m": 2},
    )
    assert [one["id"] for one in client.json("workflow", "show", project, workflow)["task_list"]] == [wftask]
    exported = client.folder / "exported.json"
    client.run("workflow", "export", project, workflow, "--json-file", exported)
    assert json.loads(exported.read_text())["task_list"][0]["args_parallel"] == {"b": 2}
    words = ("--project-id", project, "--json-file", exported, "--workflow-name", "imported")
    imported = client.ids("workflow", "import", *words)[0]
    assert client.json("workflow", "show", project, imported)["task_list"][0]["task_id"] == int(task)
    client.run("workflow", "rm-task", project, workflow, wftask)
    assert client.json("workflow", "show", project, workflow)["task_list"] == []
    client.run("workflow", "delete", project, workflow)
    client.run("workflow", "show", project, workflow, code=1)


def test_templates(client: Client, project: str, task: str) -> None:
    (workflow,) = client.ids("workflow", "new", "flow", project)
    client.run("workflow", "add-task", project, workflow, "--task-id", task)
    words = ("--workflow-id", workflow, "--name", "template", "--version", 3)
    template = client.json("template", "new", *words)["id"]
    assert client.json("template", "show", template)["version"] == 3
    exported = client.folder / "template.json"
    client.run("template", "export", template, exported)
    again = client.json("template", "new", "--json-file", exported, "--version", 4)["id"]
    made = client.ids("workflow", "import-from-template", project, again, "--name", "made of it")[0]
    assert client.json("workflow", "show", project, made)["task_list"][0]["task_id"] == int(task)
    client.run("template", "delete", template)
    client.run("template", "show", template, code=1)


def test_tasks(embedded: Embedded, client: Client, administrator: Client, task: str, tmp_path: Path) -> None:
    assert task in client.run("task", "list")
    edited = client.json("task", "edit", "--id", task, "--input-types", client.file("types.json", {"3D": True}))
    assert edited["input_types"] == {"3D": True}
    assert administrator.run("task", "make-core", task)
    administrator.run("task", "make-not-core", task)
    name = f"fractal-of-client-{time.monotonic_ns()}"
    activity, *_ = client.ids("task", "collect", make_wheel(tmp_path, name, "7.1.0"))
    person = Api.login(embedded.url, client.environment["FRACTAL_USER"], PASSWORD)
    assert person.ended({"id": activity})["status"] == "OK"
    person.close()
    assert client.json("task", "check-collection", activity, "--include-logs")["status"] == "OK"
    manifest = {
        "manifest_version": "2",
        "has_args_schemas": False,
        "task_list": [{"name": "Of a folder", "executable_parallel": "puppet.py"}],
    }
    words = ("--version", "1", "--package-root", tmp_path)
    label = f"label{time.monotonic_ns()}"
    client.run("task", "collect-custom", label, sys.executable, client.file("manifest.json", manifest), *words)
    assert "Of a folder" in client.run("task", "list")


def test_jobs(embedded: Embedded, client: Client, project: str, task: str, tmp_path: Path) -> None:
    (dataset,) = client.ids("project", "add-dataset", project, "images")
    (workflow,) = client.ids("workflow", "new", "flow", project)
    arguments = client.file("args.json", {"marks": str(tmp_path / "marks")})
    client.run("workflow", "add-task", project, workflow, "--task-id", task, "--args-parallel", arguments)
    person = Api.login(embedded.url, client.environment["FRACTAL_USER"], PASSWORD)
    zarr_dir = person.get(f"/api/v2/project/{project}/dataset/{dataset}/")["zarr_dir"]
    for name, kind in (("a", "x"), ("b", "y")):
        image = {"zarr_url": f"{zarr_dir}/{name}", "attributes": {"kind": kind}, "types": {"good": True}}
        person.post(f"/api/v2/project/{project}/dataset/{dataset}/images/", image)
    words = (
        *("--start", 0, "--end", 0, "-w", client.file("init.sh", "export X=1")),
        *("--attribute-filters-json", client.file("attributes.json", {"kind": ["y"]})),
        *("--type-filters-json", client.file("types.json", {"good": True})),
    )
    (job,) = client.ids("job", "submit", project, workflow, dataset, *words)
    assert person.finished(int(project), int(job))["status"] == "done"
    assert (tmp_path / "marks").read_text() == f"{zarr_dir}/b\n"
    assert client.json("job", "show", project, job)["status"] == "done"
    assert job in client.run("job", "list", project)
    client.run("job", "download-logs", project, job, "--output", tmp_path / "logs")
    assert list((tmp_path / "logs").rglob("*-log.txt"))
    client.run("job", "stop", project, job, code=1)
    slow = client.file("slow.json", {"marks": str(tmp_path / "marks"), "sleep": 60})
    (other,) = client.ids("workflow", "new", "slow", project)
    client.run("workflow", "add-task", project, other, "--task-id", task, "--args-parallel", slow)
    (running,) = client.ids("job", "submit", project, other, dataset)
    client.run("job", "stop", project, running)
    assert person.finished(int(project), int(running))["status"] == "failed"
    person.close()
