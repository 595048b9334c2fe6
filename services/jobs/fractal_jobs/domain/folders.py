"""Where a job's files are."""

from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class JobFolder:
    """The job's folder, and the one that its processes write into: another user's, where there is a scheduler."""

    working_dir: str
    working_dir_user: str
    username: str | None
    """Unix user with whose permissions files in `working_dir_user` are read; None: the agent's own."""

    @property
    def archive(self) -> str:
        return f"{self.working_dir}.zip"

    def member(self, file: str) -> str:
        """A file of `working_dir` as the archive names it.

        Raises:
            ValueError: it is not below the folder.
        """
        return str(PurePosixPath(file).relative_to(self.working_dir))

    def as_written(self, file: str) -> str:
        """Where the process writes what is named as a file of `working_dir`."""
        return str(PurePosixPath(self.working_dir_user) / self.member(file))
