"""api §13.3, §16.7, identity §9.4: pixi. Its channels cannot be reached from tests: a failing program takes its place
where one is needed, and what pixi itself would do is not tested."""

import io
import tarfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.api import Api

from .server import Person, Server

COLLECT = "/api/v2/task/collect/pixi/"
DEFAULTS = {
    "PIXI_CONCURRENT_SOLVES": 4,
    "PIXI_CONCURRENT_DOWNLOADS": 4,
    "TOKIO_WORKER_THREADS": 2,
    "DEFAULT_ENVIRONMENT": "default",
    "DEFAULT_PLATFORM": "linux-64",
    "SLURM_CONFIG": None,
}
SLURM = {"partition": "main", "cpus": 2, "time": "01:00:00"}


def with_pixi(admin: Api, config: dict[str, Any], status: int = 200) -> Any:
    """The default resource, with this configuration of pixi."""
    resource = admin.get("/admin/v2/resource/")[0]
    body = {name: value for name, value in resource.items() if name not in ("id", "timestamp_created")}
    path = f"/admin/v2/resource/{resource['id']}/"
    return admin.call("PUT", path, status, json={**body, "tasks_pixi_config": config})


@pytest.fixture
def pixi(server: Server, admin: Api) -> Generator[Path]:
    """The folder in which this server looks for pixi 0.60.0; 0.61.0 is configured and not there."""
    base = server.folder / "pixi"
    (base / "0.60.0" / "bin").mkdir(parents=True, exist_ok=True)
    versions = {"0.60.0": str(base / "0.60.0"), "0.61.0": str(base / "0.61.0")}
    with_pixi(admin, {"versions": versions, "default_version": "0.60.0"})
    yield base / "0.60.0"
    with_pixi(admin, {})


def project(name: str = "fractal_pixi-1.0") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        text = b'[project]\nname = "fractal-pixi"\n[tool.pixi.workspace]\nchannels = []\nplatforms = ["osx-arm64"]\n'
        member = tarfile.TarInfo(f"{name}/pyproject.toml")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
    return stream.getvalue()


def collect(api: Api, filename: str, status: int = 202, **form: str) -> Any:
    files = {"file": (filename, project())}
    return api.call("POST", COLLECT, status, files=files, data=form, params={"private": True})


def test_the_configuration_is_kept_with_its_defaults(admin: Api, pixi: Path) -> None:
    config = admin.get("/admin/v2/resource/")[0]["tasks_pixi_config"]
    versions = {"0.60.0": str(pixi), "0.61.0": str(pixi.with_name("0.61.0"))}
    assert config == {"versions": versions, "default_version": "0.60.0", **DEFAULTS}
    given = {"versions": {" 1 ": " /pixi/1 "}, "default_version": "1", "SLURM_CONFIG": {**SLURM, "mem": "8G"}}
    kept = with_pixi(admin, given)["tasks_pixi_config"]
    assert kept["versions"] == {"1": "/pixi/1"}
    assert kept["SLURM_CONFIG"] == {**SLURM, "mem": "8G", "mem_per_cpu": None, "preamble": []}


ONE = {"versions": {"1": "/p/1"}, "default_version": "1"}


@pytest.mark.parametrize(
    ("config", "loc", "kind", "text"),
    [
        (
            {"versions": {"1": "/p/1"}, "default_version": "2"},
            [],
            "value_error",
            "Value error, Default version '2' not in available version ['1'].",
        ),
        (
            {"versions": {"1": "/p/1", "2": "/q/2"}, "default_version": "1"},
            [],
            "value_error",
            "Value error, pixi_path=PosixPath('/q/2') is not located within the pixi_base_dir=PosixPath('/p').",
        ),
        (
            {"versions": {"1": "/p/x"}, "default_version": "1"},
            [],
            "value_error",
            "Value error, pixi_path.name='x' is not equal to key='1'",
        ),
        ({"versions": {"1": "/p/1"}}, ["default_version"], "missing", "Field required"),
        ({"default_version": "1"}, ["versions"], "missing", "Field required"),
        (ONE | {"PIXI_CONCURRENT_SOLVES": "x"}, ["PIXI_CONCURRENT_SOLVES"], "int_parsing", None),
        (
            ONE | {"SLURM_CONFIG": {**SLURM, "mem": "8"}},
            ["SLURM_CONFIG", "mem"],
            "value_error",
            "Value error, Invalid memory requirement '8' for `pixi`, please set a K/M/G/T units suffix.",
        ),
        (
            ONE | {"SLURM_CONFIG": SLURM},
            ["SLURM_CONFIG"],
            "value_error",
            "Value error, You must set either `mem` or `mem_per_cpu`.",
        ),
        (
            ONE | {"SLURM_CONFIG": {**SLURM, "mem": "1G", "mem_per_cpu": "1G"}},
            ["SLURM_CONFIG"],
            "value_error",
            "Value error, You must set either `mem` or `mem_per_cpu`.",
        ),
        (
            ONE | {"SLURM_CONFIG": {**SLURM, "cpus": 0, "mem": "1G"}},
            ["SLURM_CONFIG", "cpus"],
            "greater_than",
            "Input should be greater than 0",
        ),
    ],
)
def test_configurations_that_are_refused(
    admin: Api, config: dict[str, Any], loc: list[str], kind: str, text: str | None
) -> None:
    (error,) = with_pixi(admin, config, 422)["detail"]
    assert (error["loc"], error["type"]) == (["body", "local", "tasks_pixi_config", *loc], kind)
    assert text in (None, error["msg"])


def test_a_resource_without_pixi(user: Person) -> None:
    answer = collect(user.api, "fractal_pixi-1.0.tar.gz", 422)
    assert answer == {"detail": "Pixi task collection is not available."}


def test_what_is_sent_is_checked(user: Person, guest: Person, pixi: Path) -> None:
    collect(guest.api, "fractal_pixi-1.0.tar.gz", 403)
    (error,) = user.api.call("POST", COLLECT, 422, data={"pixi_version": "1"})["detail"]
    assert (error["type"], error["loc"]) == ("missing", ["body", "file"])
    (error,) = collect(user.api, "a-1.tar.gz", 422, use_pixi_lockfile="maybe")["detail"]
    assert (error["type"], error["loc"]) == ("bool_parsing", ["body", "use_pixi_lockfile"])
    answer = collect(user.api, "a-1.tar.gz", 422, pixi_version="0.1")
    text = "Pixi version '0.1' is not available. Available versions: ['0.60.0', '0.61.0']"
    assert answer == {"detail": text}
    for name in ("a-1.zip", "a-1.tar.gz.zip"):
        assert collect(user.api, name, 422) == {"detail": f"filename='{name}' does not end with '.tar.gz'."}
    for name in ("a.tar.gz", "a-b-1.tar.gz"):
        text = (
            f"Invalid filename: '{name}' must contain a single `-` character, separating the package name from the "
            "version (expected format: 'pkg_name-version')."
        )
        assert collect(user.api, name, 422) == {"detail": text}
    for name in ("a-../x.tar.gz", "a-..tar.gz", "../a-1.tar.gz"):
        answer = collect(user.api, name, 422)
        assert "'..'" in answer["detail"] or "names no folder" in answer["detail"]
    assert user.api.get("/api/v2/task-group/activity/") == []


def failed(user: Person, activity: dict[str, Any], path: Path) -> str:
    """The log of a collection that failed, and left nothing else."""
    ended = user.api.ended(activity)
    assert (ended["status"], ended["taskgroupv2_id"]) == ("failed", None)
    user.api.get(f"/api/v2/task-group/{activity['taskgroupv2_id']}/", 404)
    assert not path.exists()
    return ended["log"]


def seen(api: Api, filename: str, **form: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A collection and its group, which is gone as soon as the former has failed: tried until it was there in time."""
    for _ in range(20):
        activity = collect(api, filename, **form)
        answer = api.http.get(f"/api/v2/task-group/{activity['taskgroupv2_id']}/")
        if answer.status_code == 200:
            return activity, answer.json()
        api.ended(activity)
    raise AssertionError("it always ended first")


def test_a_binary_that_is_missing(server: Server, user: Person, pixi: Path) -> None:
    activity, group = seen(user.api, "Fractal_Pixi-1.0.tar.gz", pixi_version="0.61.0")
    assert (activity["status"], activity["pkg_name"], activity["version"]) == ("pending", "fractal-pixi", "1.0")
    assert (group["origin"], group["pixi_version"], group["python_version"]) == ("pixi", "0.61.0", None)
    assert (group["path"], group["venv_path"]) == (f"{server.folder}/tasks/{user.id}/fractal-pixi/1.0", None)
    assert (group["active"], group["task_list"]) == (True, [])
    log = failed(user, activity, Path(group["path"]))
    assert f"The program {pixi.with_name('0.61.0')}/bin/pixi does not exist." in log


@pytest.mark.parametrize(("form", "frozen"), [({}, True), ({"use_pixi_lockfile": "No"}, False)])
def test_a_binary_that_fails_is_told_with_its_command(
    user: Person, pixi: Path, form: dict[str, str], frozen: bool
) -> None:
    binary = pixi / "bin" / "pixi"
    if not binary.is_symlink():
        binary.symlink_to("/bin/false")
    activity, group = seen(user.api, "fractal_pixi-1.0.tar.gz", pixi_version="", **form)
    assert group["pixi_version"] == "0.60.0"
    log = failed(user, activity, Path(group["path"]))
    options = "--concurrent-solves 4 --concurrent-downloads 4" + (" --frozen" if frozen else "")
    project_file = f"{group['path']}/source_dir/pyproject.toml"
    assert f"install - start: {binary} install {options} --manifest-path {project_file}\n" in log
    assert "Task collect failed. Original error: install failed with exit code 1." in log


def test_an_archive_without_its_folder(user: Person, pixi: Path) -> None:
    binary = pixi / "bin" / "pixi"
    if not binary.is_symlink():
        binary.symlink_to("/bin/false")
    activity, group = seen(user.api, "other_name-2.0.tar.gz")
    log = failed(user, activity, Path(group["path"]))
    assert "other_name-2.0.tar.gz has no folder 'other_name-2.0'." in log
