"""The directory of one task group, whatever is installed in it."""

import base64
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fractal_common.messages import EnvironmentCommand

from fractal_agent.environments.steps import ActivityLog, StepError, Steps

ID_FILE = "fractal_task_group_id.txt"
MANIFEST = "__FRACTAL_MANIFEST__.json"


@dataclass(frozen=True)
class Outcome:
    """What an activity leaves to be known."""

    manifest: dict[str, Any] | None = None
    package_root: str | None = None
    python: str | None = None
    env_info: str | None = None
    archive_path: str | None = None


class TaskGroupDirectory:
    """`{path}` with the group's id, its archive and the record of all that was run for it.

    `environment` is what an installer makes in it, and what is removed when the group is deactivated.
    """

    def __init__(
        self, command: EnvironmentCommand, path: Path, environment: str, log: ActivityLog, lock: int | None = None
    ) -> None:
        self.command = command
        self.path = path
        self.environment = path / environment
        self.log = log
        self.steps = Steps(log, path / "scripts", command.action, lock)

    def claim(self) -> None:
        """Make it; of an earlier attempt at the same collection, cut short, nothing stays.

        Raises:
            StepError: it is there, and not ours.
        """
        owner = self.path / ID_FILE
        group_id = str(self.command.task_group_id)
        if self.path.exists():
            if not (owner.is_file() and owner.read_text() == group_id):
                raise StepError(f"{self.path} already exists.")
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True)
        owner.write_text(group_id)

    def keep_archive(self) -> Path | None:
        """The uploaded file, if there is one, beside the environment."""
        if self.command.archive_name is None or self.command.archive_base64 is None:
            return None
        archive = self.path / Path(self.command.archive_name).name
        archive.write_bytes(base64.b64decode(self.command.archive_base64))
        return archive

    def mark(self) -> bool:
        """Note that this activity has begun; true if it had begun before and was cut short."""
        marker = self.path / ".activity"
        activity = str(self.command.activity_id)
        if marker.exists() and marker.read_text() == activity:
            return True
        if self.path.is_dir():
            marker.write_text(activity)
        return False

    def make_room(self) -> None:
        """For an environment that is to be made again; raises StepError if one is there that is not a remainder."""
        if self.mark():
            self.discard()
        if self.environment.exists():
            raise StepError(f"{self.environment} already exists.")

    def discard(self) -> None:
        """What was begun of the environment."""
        shutil.rmtree(self.environment, ignore_errors=True)

    def remove(self) -> None:
        if self.path.exists():
            shutil.rmtree(self.path)

    def check_executables(self, manifest: Any, package_root: Path) -> None:
        """Raises StepError for the first one that is not there."""
        for task in manifest.get("task_list", []):
            for part in ("non_parallel", "parallel"):
                executable = task.get(f"executable_{part}")
                file = package_root / str(executable)
                if executable is not None and not file.is_file():
                    raise StepError(
                        f"Task `{task.get('name')}` has `command_{part}` pointing to missing file `{file}`."
                    )
