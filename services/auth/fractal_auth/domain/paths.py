"""Which directories are inside which."""

from collections.abc import Sequence


def is_covered(path: str, directories: Sequence[str]) -> bool:
    """Whether a path is one of the directories or below one, component by component; S3 and local never match."""
    return any(f"{path.rstrip('/')}/".startswith(f"{directory.rstrip('/')}/") for directory in directories)
