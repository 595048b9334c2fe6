"""Pixi projects: unpacked, simplified, and how pixi is called. What pixi itself does needs its channels."""

import io
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from fractal_agent.environments.directory import Outcome
from fractal_agent.environments.pixi import (
    PixiEnvironment,
    extract,
    install_arguments,
    open_to_all,
    pixi_environment,
    simplify,
    wrapper,
)
from fractal_agent.environments.steps import ActivityLog, StepError
from fractal_common.messages import EnvironmentAction, EnvironmentCommand, PixiSettings

SETTINGS = PixiSettings(
    home="/pixi/0.60.0",
    cache_dir="/cache",
    concurrent_solves=4,
    concurrent_downloads=3,
    worker_threads=2,
    environment="default",
    platform="linux-64",
    frozen=True,
)
PROJECT = """\
[project]
name = "fractal-pixi"

[tool.pixi.workspace]
channels = ["conda-forge"]
platforms = ["linux-64", "osx-arm64"]

[tool.pixi.environments]
default = { solve-group = "default" }
test = { features = ["test"], solve-group = "default" }

[tool.pixi.tasks]
hello = "echo hello"

[tool.other]
kept = true
"""


def archive(folder: Path, name: str, members: dict[str, str], links: dict[str, str] | None = None) -> Path:
    file = folder / name
    with tarfile.open(file, "w:gz") as tar:
        for path, text in members.items():
            member = tarfile.TarInfo(path)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        for path, target in (links or {}).items():
            member = tarfile.TarInfo(path)
            member.type = tarfile.SYMTYPE
            member.linkname = target
            tar.addfile(member)
    return file


def test_only_the_folder_named_like_the_archive_is_unpacked(tmp_path: Path) -> None:
    members = {"pkg-1.0/pyproject.toml": PROJECT, "pkg-1.0/src/pkg/a.py": "a", "other/b.py": "b", "pkg-1.0.txt": "c"}
    extract(archive(tmp_path, "pkg-1.0.tar.gz", members), tmp_path / "source_dir")
    files = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file())
    assert files == ["pkg-1.0.tar.gz", "source_dir/pyproject.toml", "source_dir/src/pkg/a.py"]


@pytest.mark.parametrize(
    ("members", "links", "message"),
    [
        ({"elsewhere/pyproject.toml": ""}, {}, "pkg-1.0.tar.gz has no folder 'pkg-1.0'."),
        ({"pkg-1.0/../../outside": "x"}, {}, "pkg-1.0.tar.gz cannot be extracted: "),
        ({"pkg-1.0/a": "x"}, {"pkg-1.0/link": "/etc/passwd"}, "pkg-1.0.tar.gz cannot be extracted: "),
    ],
)
def test_archives_that_are_refused_leave_nothing(
    tmp_path: Path, members: dict[str, str], links: dict[str, str], message: str
) -> None:
    folder = tmp_path / "group"
    folder.mkdir()
    file = archive(folder, "pkg-1.0.tar.gz", members, links)
    with pytest.raises(StepError) as problem:
        extract(file, folder / "source_dir")
    assert str(problem.value).startswith(message)
    assert list(tmp_path.rglob("*")) == [folder, file]


def test_what_is_no_archive(tmp_path: Path) -> None:
    file = tmp_path / "pkg-1.0.tar.gz"
    file.write_bytes(b"not a tar")
    with pytest.raises(StepError, match="cannot be extracted"):
        extract(file, tmp_path / "source_dir")


def test_a_project_is_reduced_to_one_platform_and_one_environment() -> None:
    before = tomllib.loads(PROJECT)
    after = simplify(tomllib.loads(PROJECT), platform="linux-64", environment="default")
    pixi = after["tool"]["pixi"]
    assert pixi["workspace"] == {"channels": ["conda-forge"], "platforms": ["linux-64"]}
    assert pixi["environments"] == {"default": {"solve-group": "default"}}
    assert "tasks" not in pixi
    assert (after["project"], after["tool"]["other"]) == (before["project"], before["tool"]["other"])
    assert tomllib.loads(tomli_w.dumps(after)) == after


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"project": {"name": "x"}}, {"project": {"name": "x"}}),
        ({"tool": {"pixi": {}}}, {"tool": {"pixi": {}}}),
        (
            {"tool": {"pixi": {"project": {"platforms": ["win-64"]}}}},
            {"tool": {"pixi": {"project": {"platforms": ["linux-64"]}}}},
        ),
    ],
)
def test_tables_that_are_not_there_are_not_made(document: dict[str, Any], expected: dict[str, Any]) -> None:
    assert simplify(document, platform="linux-64", environment="default") == expected


def test_an_environment_that_the_project_does_not_have() -> None:
    with pytest.raises(StepError, match=r"^No 'gpu' pixi environment found\.$"):
        simplify(tomllib.loads(PROJECT), platform="linux-64", environment="gpu")


def test_how_pixi_is_called() -> None:
    counts = ["--concurrent-solves", "4", "--concurrent-downloads", "3"]
    assert install_arguments(SETTINGS) == [*counts, "--frozen"]
    assert install_arguments(SETTINGS.model_copy(update={"frozen": False})) == counts
    assert pixi_environment(SETTINGS) == {
        "PIXI_HOME": "/pixi/0.60.0",
        "PIXI_CACHE_DIR": "/cache",
        "RATTLER_AUTH_FILE": "/pixi/0.60.0/credentials.json",
        "TOKIO_WORKER_THREADS": "2",
    }


def test_tasks_run_with_the_environment_activated(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    activation = folder / "activate_project.sh"
    activation.write_text("export GREETING='hello there'\n")
    script = folder / "project_python.sh"
    script.write_text(wrapper(activation, sys.executable))
    open_to_all(folder)
    code = "import os, sys; print(os.environ['GREETING'], os.environ['PYTHONNOUSERSITE'], sys.argv[1:])"
    done = subprocess.run([str(script), "-c", code, "a b", "c"], capture_output=True, text=True, check=True)
    assert done.stdout == "hello there 1 ['a b', 'c']\n"


def environment(path: Path, action: str, **fields: Any) -> PixiEnvironment:
    async def ignore(text: str) -> None:
        return None

    command = EnvironmentCommand(
        action=EnvironmentAction(action),
        activity_id=1,
        task_group_id=7,
        origin="pixi",
        pkg_name="fractal-pixi",
        version="1.0",
        path=str(path),
        **fields,
    )
    return PixiEnvironment(command, path, ActivityLog(ignore))


async def test_deactivation_removes_the_project_and_keeps_the_archive(tmp_path: Path) -> None:
    path = tmp_path / "group"
    (path / "source_dir" / "env").mkdir(parents=True)
    kept = archive(path, "fractal_pixi-1.0.tar.gz", {})
    assert await environment(path, "deactivate").deactivate() == Outcome()
    assert (kept.exists(), (path / "source_dir").exists()) == (True, False)
    # Carried out again after a crash it is done; another deactivation finds nothing to remove.
    assert await environment(path, "deactivate").deactivate() == Outcome()
    (path / ".activity").unlink()
    with pytest.raises(StepError, match=r"^'.*/source_dir' does not exist\.$"):
        await environment(path, "deactivate").deactivate()
    await environment(path, "delete").delete()
    assert not path.exists()


async def test_reactivation_makes_no_second_environment(tmp_path: Path) -> None:
    path = tmp_path / "group"
    (path / "source_dir").mkdir(parents=True)
    with pytest.raises(StepError, match=r"source_dir already exists\.$"):
        await environment(path, "reactivate").reactivate()
    assert (path / "source_dir").exists()


async def test_a_version_that_the_resource_has_no_more(tmp_path: Path) -> None:
    path = tmp_path / "group"
    path.mkdir()
    file = archive(path, "fractal_pixi-1.0.tar.gz", {"fractal_pixi-1.0/pyproject.toml": PROJECT})
    with pytest.raises(StepError, match="does not have the pixi version of this task group"):
        await environment(path, "reset", archive_path=str(file)).reset()
    assert not (path / "source_dir").exists()
