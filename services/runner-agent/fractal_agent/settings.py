"""What an agent may do is decided here, on the cluster's side, whatever the server says."""

import re
from pathlib import Path

from fractal_common.settings import ConfigurationError, DirectorySettings, SettingsGroup, load
from pydantic import Field

from fractal_agent.identity.policy import UserPolicy


class AgentSettings(SettingsGroup):
    """Environment of an agent."""

    FRACTAL_AGENT_RESOURCE_ID: int = Field(default=1, ge=1)
    """Id of the resource that this agent serves."""
    FRACTAL_AGENT_STATE_DIR: Path | None = None
    """Journal of running batches; by default `.fractal-agent` below the jobs directory."""

    FRACTAL_AGENT_USERS: str = ""
    """Unix users as whom the agent may act, separated by commas. Its own user always; root never."""
    FRACTAL_AGENT_USER_GROUP: str | None = None
    """Members of this Unix group, too."""
    FRACTAL_AGENT_USER_PATTERN: str | None = None
    """And users whose whole name matches this regular expression."""
    FRACTAL_AGENT_USER_DIRS: str = "~"
    """Directories below which files of a user are made and read, separated by colons; `{user}` stands for the name."""
    FRACTAL_AGENT_DELEGATE: Path = Path("/usr/local/libexec/fractal-delegate")
    """What sudo lets the agent run as these users; see docs/slurm.md."""

    FRACTAL_AGENT_JOB_FOLDERS_KEEP_DAYS: float | None = Field(default=None, gt=0)
    """After so many days without a change a job's folder and archive are removed; unset: never."""


def user_policy(settings: AgentSettings) -> UserPolicy:
    """Raises ConfigurationError: the pattern is no regular expression."""
    pattern = settings.FRACTAL_AGENT_USER_PATTERN
    try:
        compiled = None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise ConfigurationError(f"FRACTAL_AGENT_USER_PATTERN: {pattern!r} is no regular expression: {error}") from None
    users = frozenset(name.strip() for name in settings.FRACTAL_AGENT_USERS.split(",") if name.strip())
    return UserPolicy(users, settings.FRACTAL_AGENT_USER_GROUP, compiled)


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
