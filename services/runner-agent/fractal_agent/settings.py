"""What an agent may do is decided here, on the cluster's side, whatever the server says."""

from pathlib import Path

from fractal_common.settings import ConfigurationError, DirectorySettings, SettingsGroup, load
from pydantic import Field


class AgentSettings(SettingsGroup):
    """Environment of an agent."""

    FRACTAL_AGENT_RESOURCE_ID: int = Field(default=1, ge=1)
    """Id of the resource that this agent serves."""
    FRACTAL_AGENT_STATE_DIR: Path | None = None
    """Journal of running batches; by default `.fractal-agent` below the jobs directory."""

    FRACTAL_AGENT_JOB_FOLDERS_KEEP_DAYS: float | None = Field(default=None, gt=0)
    """After so many days without a change a job's folder and archive are removed; unset: never."""


class Confinement:
    """The directories below which the agent reads and writes, and nowhere else."""

    def __init__(self, roots: list[Path]) -> None:
        self.roots = [root.resolve() for root in roots]

    def check(self, path: str | Path) -> Path:
        """The path with every link resolved.

        Raises:
            PermissionError: relative, or outside the roots.
        """
        given = Path(path)
        if not given.is_absolute():
            raise PermissionError(f"{path} is not an absolute path")
        resolved = given.resolve()
        if not any(resolved.is_relative_to(root) for root in self.roots):
            raise PermissionError(f"{path} is not below a directory of this agent's resource")
        return resolved


def directories() -> tuple[Path, Path]:
    """Directories for jobs and for task environments.

    Raises:
        ConfigurationError: one of the two variables is not set.
    """
    settings = load(DirectorySettings)
    jobs, tasks = settings.FRACTAL_RUNNER_WORKING_BASE_DIR, settings.FRACTAL_TASKS_DIR
    if jobs is None:
        raise ConfigurationError("FRACTAL_RUNNER_WORKING_BASE_DIR: not set; the agent keeps job folders below it")
    if tasks is None:
        raise ConfigurationError("FRACTAL_TASKS_DIR: not set; the agent makes task environments below it")
    return jobs, tasks
