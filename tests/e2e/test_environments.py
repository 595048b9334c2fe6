"""Task packages through their life: collected from a wheel, used, deactivated, reactivated, deleted."""

import os
import signal
import subprocess
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.api import Api
from tests.wheels import make_wheel

from .embedded import Embedded

CLIENT = Path(".venv-client/bin/fractal").absolute()


@pytest.fixture
def api(embedded: Embedded) -> Generator[Api]:
    api = embedded.login()
    yield api
    api.close()


def group_of(api: Api, activity: dict[str, Any]) -> str:
    return f"/api/v2/task-group/{activity['taskgroupv2_id']}/"


def act(api: Api, group: str, action: str) -> dict[str, Any]:
    return api.ended(api.post(f"{group}{action}/", status=202))


def test_the_life_of_a_package(api: Api, tmp_path: Path) -> None:
    activity = api.collect(make_wheel(tmp_path, "fractal-greetings"))
    assert (activity["status"], activity["action"], activity["pkg_name"]) == ("pending", "collect", "fractal-greetings")
    group = group_of(api, activity)
    assert (api.get(group)["active"], api.get(group)["origin"]) == (True, "wheel-file")
    done = api.ended(activity)
    assert done["status"] == "OK", done["log"]
    read = api.get(group)
    (task,) = read["task_list"]
    assert (task["name"], task["type"], task["version"], task["tags"]) == ("Greet", "parallel", "1.0.0", ["test"])
    assert read["path"].endswith("/fractal-greetings/1.0.0")
    assert read["venv_path"] == f"{read['path']}/venv"
    assert task["command_parallel"].startswith(f"{read['venv_path']}/bin/python {read['venv_path']}/lib/")

    project, dataset, workflow = api.prepared(tmp_path, task["id"], images=2)
    job = api.finished(project, api.submit(project, dataset, workflow))
    assert job["status"] == "done", job["log"]
    assert len((tmp_path / "marks").read_text().split()) == 2
    answer = api.post(f"{group}delete/", status=422)
    assert answer == {"detail": f"TaskV2 {task['id']} is still in use"}

    assert act(api, group, "deactivate")["status"] == "OK"
    assert (api.get(group)["active"], Path(read["venv_path"]).exists()) == (False, False)
    assert act(api, group, "reactivate")["status"] == "OK"
    assert api.get(group)["active"] is True
    job = api.finished(project, api.submit(project, dataset, workflow))
    assert job["status"] == "done", job["log"]

    api.delete(f"/api/v2/project/{project}/")
    assert act(api, group, "delete")["status"] == "OK"
    api.get(group, 404)
    assert not Path(read["path"]).exists()


def test_a_package_that_cannot_be_installed_leaves_nothing_but_its_log(api: Api, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "fractal-impossible", requires="fractal-no-such-package==1")
    activity = api.collect(wheel)
    path = Path(api.get(group_of(api, activity))["path"])
    failed = api.ended(activity)
    assert (failed["status"], failed["taskgroupv2_id"]) == ("failed", None)
    assert "fractal-no-such-package" in failed["log"]
    api.get(group_of(api, activity), 404)
    assert not path.exists()
    again = api.collect(make_wheel(tmp_path, "fractal-impossible"))
    assert api.ended(again)["status"] == "OK"


def test_the_same_package_twice_is_refused_while_the_first_is_collected(api: Api, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "fractal-twice")
    first = api.collect(wheel)
    answer = api.call(
        "POST", "/api/v2/task/collect/pip/", 422, files={"file": (wheel.name, wheel.read_bytes())}, data={}
    )
    assert "already owns a task group with name='fractal-twice' and version='1.0.0'." in answer["detail"]
    assert f"(activity ID={first['id']})" in answer["detail"]
    assert api.ended(first)["status"] == "OK"


def test_environments_are_reset_only_where_that_is_allowed(api: Api) -> None:
    for kind in ("pip", "pixi"):
        answer = api.post(f"/admin/v2/task-group/98765/reset/{kind}/", {}, 422)
        assert answer == {"detail": "FRACTAL_ENABLE_TASK_GROUP_RESET=false"}


def test_an_agent_killed_while_it_installs_ends_what_it_began(embedded: Embedded, api: Api, tmp_path: Path) -> None:
    activity = api.collect(make_wheel(tmp_path, "fractal-interrupted"))
    path = Path(api.get(group_of(api, activity))["path"])
    deadline = time.monotonic() + 30
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(embedded.processes()["agent"], signal.SIGKILL)
    done = api.ended(activity)
    assert done["status"] == "OK", done["log"]
    assert len(api.get(group_of(api, activity))["task_list"]) == 1


def test_the_public_client_from_registration_to_results(embedded: Embedded, api: Api, tmp_path: Path) -> None:
    def fractal(*words: object, user: str, password: str) -> list[str]:
        environment = {
            **embedded.environment,
            "FRACTAL_SERVER": embedded.url,
            "FRACTAL_USER": user,
            "FRACTAL_PASSWORD": password,
            "FRACTAL_CACHE_PATH": str(tmp_path / f"cache-{user}"),
        }
        done = subprocess.run(
            [CLIENT, "--batch", *map(str, words)], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout.split()

    email, password = "client@example.org", "a long password"
    administrator = {"user": "admin@example.org", "password": embedded.password}
    (user_id,) = fractal("user", "register", email, password, tmp_path, **administrator)
    fractal("user", "edit", user_id, "--make-verified", "--new-profile-id", "1", **administrator)
    me = {"user": email, "password": password}
    (project,) = fractal("project", "new", "from the client", **me)
    (dataset,) = fractal("project", "add-dataset", project, "images", **me)
    (workflow,) = fractal("workflow", "new", "flow", project, **me)
    wheel = make_wheel(tmp_path, "fractal-from-client", "7.1.0")
    activity, *_ = fractal("task", "collect", wheel, **me)
    person = embedded.login(email, password)
    assert person.ended({"id": activity})["status"] == "OK"
    (tmp_path / "args.json").write_text(f'{{"marks": "{tmp_path}/marks"}}')
    arguments = ("--task-name", "Greet", "--task-version", "7.1.0", "--args-parallel", tmp_path / "args.json")
    fractal("workflow", "add-task", project, workflow, *arguments, **me)
    zarr_dir = person.get(f"/api/v2/project/{project}/dataset/{dataset}/")["zarr_dir"]
    person.post(f"/api/v2/project/{project}/dataset/{dataset}/images/", {"zarr_url": f"{zarr_dir}/a.zarr"})
    (job,) = fractal("job", "submit", project, workflow, dataset, **me)
    finished = person.finished(int(project), int(job))
    assert finished["status"] == "done", finished["log"]
    assert (tmp_path / "marks").read_text() == f"{zarr_dir}/a.zarr\n"
    fractal("job", "download-logs", project, job, "--output", tmp_path / "logs", **me)
    (log,) = (tmp_path / "logs").rglob("*-log.txt")
    assert log.read_text() == f"greetings from 7.1.0 {zarr_dir}/a.zarr\n"
    person.close()
