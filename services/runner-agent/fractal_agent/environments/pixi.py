"""Packages as pixi projects: a `pyproject.toml` (and a lock file) in a `tar.gz`, installed with pixi."""

import asyncio
import json
import shlex
import shutil
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import tomli_w
from fractal_common.messages import EnvironmentCommand, PixiSettings

from fractal_agent.environments.directory import MANIFEST, Outcome, TaskGroupDirectory
from fractal_agent.environments.steps import ActivityLog, StepError

SUFFIX = ".tar.gz"
LOCATE = (
    "import importlib.util, json, sys; "
    "found = importlib.util.find_spec(sys.argv[1]); "
    "print(json.dumps(list(found.submodule_search_locations) if found else []))"
)
WRAPPER = """\
#!/bin/bash
# Runs the project's Python with its environment activated.
source {activation}
export PYTHONNOUSERSITE=1
exec {python} "$@"
"""


def simplify(document: dict[str, Any], *, platform: str, environment: str) -> dict[str, Any]:
    """A `pyproject.toml` less what is not wanted on a server: other platforms, other environments, pixi tasks.

    Raises:
        StepError: the environment is not among those of the project.
    """
    pixi: dict[str, Any] = document.get("tool", {}).get("pixi", {})
    for table in ("workspace", "project"):
        if table in pixi:
            pixi[table]["platforms"] = [platform]
    if "environments" in pixi:
        if environment not in pixi["environments"]:
            raise StepError(f"No '{environment}' pixi environment found.")
        pixi["environments"] = {environment: pixi["environments"][environment]}
    pixi.pop("tasks", None)
    return document


class PixiEnvironment:
    """`{path}/source_dir`: the project, and the environment that pixi makes in it."""

    def __init__(self, command: EnvironmentCommand, path: Path, log: ActivityLog, lock: int | None = None) -> None:
        self.command = command
        self._directory = TaskGroupDirectory(command, path, "source_dir", log, lock)
        self.source = self._directory.environment
        self.wrapper = self.source / "project_python.sh"
        self._log = log

    async def collect(self) -> Outcome:
        """Raises StepError; the directory is gone then, unless it is not ours."""
        self._directory.claim()
        try:
            archive = self._directory.keep_archive()
            if archive is None:
                raise StepError("No archive was uploaded.")
            package_root = await self._install(archive)
            manifest_file = package_root / MANIFEST
            if not manifest_file.is_file():
                raise StepError(f"Manifest {manifest_file} does not exist.")
            manifest = json.loads(manifest_file.read_text())
            self._directory.check_executables(manifest, package_root)
            await self._log.write("Prepared the tasks of the package.", checkpoint=True)
            return Outcome(
                manifest=manifest,
                package_root=str(package_root),
                python=str(self.wrapper),
                env_info=self._lock_file(),
                archive_path=str(archive),
            )
        except BaseException:
            self._directory.remove()
            raise

    async def deactivate(self) -> Outcome:
        """Removes the project with its environment; the archive and the lock file's content stay."""
        resumed = self._directory.mark()
        if not self.source.is_dir():
            if resumed:
                return Outcome()
            raise StepError(f"'{self.source}' does not exist.")
        shutil.rmtree(self.source)
        return Outcome()

    async def reactivate(self) -> Outcome:
        """Exactly what was installed before: the lock file of then decides."""
        self._directory.make_room()
        return await self._again(self.command.env_info)

    async def reset(self) -> Outcome:
        self._directory.discard()
        await self._again(None)
        return Outcome(env_info=self._lock_file())

    async def delete(self) -> Outcome:
        self._directory.remove()
        return Outcome()

    async def _again(self, lock_file: str | None) -> Outcome:
        archive = Path(self.command.archive_path or "")
        try:
            if not archive.is_file():
                raise StepError(f"Archive {self.command.archive_path} does not exist.")
            await self._install(archive, lock_file)
        except BaseException:
            self._directory.discard()
            raise
        return Outcome()

    async def _install(self, archive: Path, lock_file: str | None = None) -> Path:
        """The package's folder in the new environment."""
        pixi = self._settings()
        await self._log.write(f"extract - start: {archive.name}", checkpoint=True)
        await asyncio.to_thread(extract, archive, self.source)
        project = self.source / "pyproject.toml"
        if not project.is_file():
            raise StepError(f"{archive.name} has no pyproject.toml.")
        document = simplify(tomllib.loads(project.read_text()), platform=pixi.platform, environment=pixi.environment)
        project.write_text(tomli_w.dumps(document))
        if lock_file is not None:
            (self.source / "pixi.lock").write_text(lock_file)
        await self._pixi("install", install_arguments(pixi))
        activation = self.source / "activate_project.sh"
        activation.write_text(await self._pixi("shell-hook", ["--frozen"]) + "\n")
        python = (await self._pixi("run", ["--frozen"], ["which", "python"])).strip().splitlines()
        if not python:
            raise StepError("The environment has no Python.")
        self.wrapper.write_text(wrapper(activation, python[-1]))
        await asyncio.to_thread(open_to_all, self.source)
        return await self._package_root()

    async def _package_root(self) -> Path:
        name = self.command.pkg_name.replace("-", "_")
        answer = await self._directory.steps.run("find_package", [str(self.wrapper), "-c", LOCATE, name])
        folders: list[str] = json.loads(answer.strip().splitlines()[-1])
        if not folders:
            raise StepError(f"The environment has no package '{name}'.")
        return Path(folders[0])

    async def _pixi(self, verb: str, options: list[str], command: list[str] | None = None) -> str:
        pixi = self._settings()
        argv = [
            *(f"{pixi.home}/bin/pixi", verb, *options),
            *("--manifest-path", str(self.source / "pyproject.toml")),
            *(command or []),
        ]
        return await self._directory.steps.run(verb, argv, environment=pixi_environment(pixi))

    def _settings(self) -> PixiSettings:
        pixi = self.command.pixi
        if pixi is None:
            raise StepError("The resource does not have the pixi version of this task group.")
        binary = Path(pixi.home) / "bin" / "pixi"
        if not binary.is_file():
            raise StepError(f"The program {binary} does not exist.")
        return pixi

    def _lock_file(self) -> str:
        return (self.source / "pixi.lock").read_text()


def wrapper(activation: Path, python: str) -> str:
    """The script that tasks are run with."""
    return WRAPPER.format(activation=shlex.quote(str(activation)), python=shlex.quote(python))


def install_arguments(pixi: PixiSettings) -> list[str]:
    """Options of `pixi install`."""
    return [
        *("--concurrent-solves", str(pixi.concurrent_solves)),
        *("--concurrent-downloads", str(pixi.concurrent_downloads)),
        *(["--frozen"] if pixi.frozen else []),
    ]


def pixi_environment(pixi: PixiSettings) -> dict[str, str]:
    """Variables that pixi reads."""
    return {
        "PIXI_HOME": pixi.home,
        "PIXI_CACHE_DIR": pixi.cache_dir,
        "RATTLER_AUTH_FILE": f"{pixi.home}/credentials.json",
        "TOKIO_WORKER_THREADS": str(pixi.worker_threads),
    }


def extract(archive: Path, target: Path) -> None:
    """The folder named like the archive, and nothing else of it, as `target`.

    Raises:
        StepError: no such folder, not a tar.gz, or a member that would be written elsewhere.
    """
    folder = archive.name.removesuffix(SUFFIX)
    draft = target.with_name(f".{target.name}")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            members = [member for member in tar if member.name == folder or member.name.startswith(f"{folder}/")]
            tar.extractall(draft, members, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise StepError(f"{archive.name} cannot be extracted: {error}") from None
    if not (draft / folder).is_dir():
        shutil.rmtree(draft, ignore_errors=True)
        raise StepError(f"{archive.name} has no folder '{folder}'.")
    (draft / folder).rename(target)
    shutil.rmtree(draft, ignore_errors=True)


def open_to_all(folder: Path) -> None:
    """Users who run tasks may read and execute all that is in it."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755)
