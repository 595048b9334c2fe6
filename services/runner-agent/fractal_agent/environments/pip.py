"""Packages from an index or a wheel: collected, deactivated, reactivated, reset, deleted."""

import json
import re
import shutil
from pathlib import Path

from fractal_common.messages import EnvironmentCommand

from fractal_agent.environments.directory import Outcome, TaskGroupDirectory
from fractal_agent.environments.steps import ActivityLog, StepError, uv

CACHE = ".uv-cache"

LOCATE = """
import json, sys
from importlib.metadata import distribution
found = distribution(sys.argv[1])
manifests = [str(found.locate_file(file)) for file in found.files or [] if file.name == "__FRACTAL_MANIFEST__.json"]
print(json.dumps({"name": found.metadata["Name"], "version": found.version, "location": str(found.locate_file("")),
                  "manifests": manifests}))
"""


class PipEnvironment:
    """A virtual environment in the directory of a task group."""

    def __init__(
        self, command: EnvironmentCommand, path: Path, tasks_dir: Path, log: ActivityLog, lock: int | None = None
    ) -> None:
        self.command = command
        self._directory = TaskGroupDirectory(command, path, "venv", log, lock)
        self.venv = self._directory.environment
        self.python = self.venv / "bin" / "python"
        self._cache = Path(command.pip_cache_dir) if command.pip_cache_dir else tasks_dir / CACHE
        self._log = log
        self._steps = self._directory.steps

    async def collect(self) -> Outcome:
        """Raises StepError; the directory is gone then, unless it is not ours."""
        self._directory.claim()
        try:
            return await self._collect()
        except BaseException:
            self._directory.remove()
            raise

    async def _collect(self) -> Outcome:
        archive = self._directory.keep_archive()
        env_info = await self._install_package(archive)
        shown = json.loads(
            await self._steps.run("show_package", [str(self.python), "-I", "-c", LOCATE, self.command.pkg_name])
        )
        if _normal(shown["name"]) != _normal(self.command.pkg_name):
            raise StepError(
                "Package name mismatch persists, after normalization: "
                f"pkg_name_task_group='{self.command.pkg_name}', pkg_name_pip_show='{shown['name']}'."
            )
        if not shown["manifests"]:
            raise StepError(f"ERROR: manifest path not found for {self.command.pkg_name}")
        package_root = Path(shown["location"]) / shown["name"].replace("-", "_")
        manifest_file = Path(shown["manifests"][0])
        if not package_root.is_dir():
            package_root = manifest_file.parent
        manifest = json.loads(manifest_file.read_text())
        self._directory.check_executables(manifest, package_root)
        await self._log.write("Prepared the tasks of the package.", checkpoint=True)
        return Outcome(
            manifest=manifest,
            package_root=str(package_root),
            python=str(self.python),
            env_info=env_info,
            archive_path=str(archive) if archive else None,
        )

    async def deactivate(self) -> Outcome:
        """Removes the virtual environment; all else stays, so that it can be made again."""
        env_info = self.command.env_info
        resumed = self._directory.mark()
        if resumed and env_info is not None and not self.venv.is_dir():
            return Outcome(env_info=env_info)
        if not self.venv.is_dir():
            raise StepError(f"{self.venv} does not exist.")
        if env_info is None:
            env_info = await self._freeze()
        if self.command.origin == "wheel-file" and not Path(self.command.archive_path or "").is_file():
            raise StepError(f"Archive {self.command.archive_path} does not exist.")
        if "github.com" in env_info:
            raise StepError(
                "Deactivation and reactivation of task packages with direct github.com dependencies are not currently "
                "supported. Exit."
            )
        shutil.rmtree(self.venv)
        return Outcome(env_info=env_info)

    async def reactivate(self) -> Outcome:
        """Exactly what was installed before."""
        self._directory.make_room()
        frozen = self._directory.path / "scripts" / "frozen_requirements.txt"
        frozen.parent.mkdir(parents=True, exist_ok=True)
        frozen.write_text(self.command.env_info or "")
        try:
            await self._make_venv()
            await self._install("install_frozen", ["-r", str(frozen)])
        except BaseException:
            self._directory.discard()
            raise
        return Outcome()

    async def reset(self) -> Outcome:
        """As if it were collected now, with the group's present pins and extras."""
        self._directory.discard()
        archive = Path(self.command.archive_path) if self.command.archive_path else None
        if self.command.origin == "wheel-file" and (archive is None or not archive.is_file()):
            raise StepError(f"Archive {archive} does not exist.")
        try:
            return Outcome(env_info=await self._install_package(archive))
        except BaseException:
            self._directory.discard()
            raise

    async def delete(self) -> Outcome:
        self._directory.remove()
        return Outcome()

    async def _install_package(self, archive: Path | None) -> str:
        """A new environment with the package in it; returns the frozen requirements."""
        command = self.command
        await self._make_venv()
        extras = f"[{command.extras}]" if command.extras else ""
        package = f"{archive}{extras}" if archive else f"{command.pkg_name}{extras}=={command.version}"
        await self._install("upgrade_installer", ["pip", "setuptools"])
        if command.pins_before:
            await self._install("pins_before", [f"{name}=={pin}" for name, pin in command.pins_before.items()])
        await self._install("install_package", [package])
        if command.pins_after:
            await self._install("pins_after", [f"{name}=={pin}" for name, pin in command.pins_after.items()])
        return await self._freeze()

    async def _make_venv(self) -> None:
        if self.command.python is None or not Path(self.command.python).is_file():
            raise StepError(f"The interpreter {self.command.python} does not exist.")
        argv = [uv(), "venv", "--no-config", "--no-project", "--python", self.command.python, str(self.venv)]
        await self._steps.run("create_venv", argv)

    async def _install(self, name: str, requirements: list[str]) -> None:
        # Compiled here and once: users who run tasks may not write into the environment.
        argv = [uv(), "pip", "install", "--no-config", "--compile-bytecode", "--python", str(self.python)]
        await self._steps.run(name, [*argv, "--cache-dir", str(self._cache), "--link-mode", "hardlink", *requirements])

    async def _freeze(self) -> str:
        return await self._steps.run("freeze", [uv(), "pip", "freeze", "--no-config", "--python", str(self.python)])


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
