"""Packages from an index or a wheel: collected, deactivated, reactivated, deleted."""

import base64
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fractal_common.messages import EnvironmentCommand

from fractal_agent.environments.steps import ActivityLog, StepError, Steps, uv

ID_FILE = "fractal_task_group_id.txt"
MANIFEST = "__FRACTAL_MANIFEST__.json"
CACHE = ".uv-cache"

LOCATE = """
import json, sys
from importlib.metadata import distribution
found = distribution(sys.argv[1])
manifests = [str(found.locate_file(file)) for file in found.files or [] if file.name == "__FRACTAL_MANIFEST__.json"]
print(json.dumps({"name": found.metadata["Name"], "version": found.version, "location": str(found.locate_file("")),
                  "manifests": manifests}))
"""


@dataclass(frozen=True)
class Outcome:
    """What an activity leaves to be known."""

    manifest: dict[str, Any] | None = None
    package_root: str | None = None
    python: str | None = None
    env_info: str | None = None
    archive_path: str | None = None


class PipEnvironment:
    """The directory of one task group: `{path}/venv`, its scripts, its archive."""

    def __init__(self, command: EnvironmentCommand, path: Path, tasks_dir: Path, log: ActivityLog) -> None:
        self.command = command
        self.path = path
        self.venv = path / "venv"
        self.python = self.venv / "bin" / "python"
        self._cache = Path(command.pip_cache_dir) if command.pip_cache_dir else tasks_dir / CACHE
        self._log = log
        self._steps = Steps(log, path / "scripts", command.action)

    async def collect(self) -> Outcome:
        """Raises StepError; the directory is gone then, unless it is not ours."""
        owner = self.path / ID_FILE
        group_id = str(self.command.task_group_id)
        if self.path.exists():
            if not (owner.is_file() and owner.read_text() == group_id):
                raise StepError(f"{self.path} already exists.")
            shutil.rmtree(self.path)  # an earlier attempt at the same collection, cut short
        try:
            self.path.mkdir(parents=True)
            owner.write_text(group_id)
            return await self._collect()
        except BaseException:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    async def _collect(self) -> Outcome:
        command = self.command
        archive: Path | None = None
        if command.archive_name is not None and command.archive_base64 is not None:
            archive = self.path / Path(command.archive_name).name
            archive.write_bytes(base64.b64decode(command.archive_base64))
        await self._make_venv()
        extras = f"[{command.extras}]" if command.extras else ""
        package = f"{archive}{extras}" if archive else f"{command.pkg_name}{extras}=={command.version}"
        await self._install("upgrade_installer", ["pip", "setuptools"])
        if command.pins_before:
            await self._install("pins_before", [f"{name}=={pin}" for name, pin in command.pins_before.items()])
        await self._install("install_package", [package])
        if command.pins_after:
            await self._install("pins_after", [f"{name}=={pin}" for name, pin in command.pins_after.items()])
        env_info = await self._freeze()
        shown = json.loads(
            await self._steps.run("show_package", [str(self.python), "-I", "-c", LOCATE, command.pkg_name])
        )
        if _normal(shown["name"]) != _normal(command.pkg_name):
            raise StepError(
                "Package name mismatch persists, after normalization: "
                f"pkg_name_task_group='{command.pkg_name}', pkg_name_pip_show='{shown['name']}'."
            )
        if not shown["manifests"]:
            raise StepError(f"ERROR: manifest path not found for {command.pkg_name}")
        package_root = Path(shown["location"]) / shown["name"].replace("-", "_")
        manifest_file = Path(shown["manifests"][0])
        if not package_root.is_dir():
            package_root = manifest_file.parent
        manifest = json.loads(manifest_file.read_text())
        self._check_executables(manifest, package_root)
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
        resumed = self._mark()
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
        if self._mark():
            shutil.rmtree(self.venv, ignore_errors=True)
        if self.venv.exists():
            raise StepError(f"{self.venv} already exists.")
        frozen = self.path / "scripts" / "frozen_requirements.txt"
        frozen.parent.mkdir(parents=True, exist_ok=True)
        frozen.write_text(self.command.env_info or "")
        try:
            await self._make_venv()
            await self._install("install_frozen", ["-r", str(frozen)])
        except BaseException:
            shutil.rmtree(self.venv, ignore_errors=True)
            raise
        return Outcome()

    async def delete(self) -> Outcome:
        if self.path.exists():
            shutil.rmtree(self.path)
        return Outcome()

    def _mark(self) -> bool:
        """Note that this activity has begun; true if it had begun before and was cut short."""
        marker = self.path / ".activity"
        activity = str(self.command.activity_id)
        if marker.exists() and marker.read_text() == activity:
            return True
        if self.path.is_dir():
            marker.write_text(activity)
        return False

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

    def _check_executables(self, manifest: Any, package_root: Path) -> None:
        for task in manifest.get("task_list", []):
            for part in ("non_parallel", "parallel"):
                executable = task.get(f"executable_{part}")
                file = package_root / str(executable)
                if executable is not None and not file.is_file():
                    raise StepError(
                        f"Task `{task.get('name')}` has `command_{part}` pointing to missing file `{file}`."
                    )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
