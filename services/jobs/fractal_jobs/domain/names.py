"""Names of folders and packages."""

import re
import string
from datetime import datetime

from packaging.version import InvalidVersion, Version

_SLUG = str.maketrans(dict.fromkeys(string.punctuation + string.whitespace, "_"))


def slug(name: str) -> str:
    """Lower case; every ASCII punctuation or white-space character becomes `_`, one for one."""
    return name.lower().translate(_SLUG)


def job_folder(project_id: int, workflow_id: int, job_id: int, started: datetime) -> str:
    """`{YYYY-MM}/proj_v2_…_wf_…_job_…_{YYYYMMDD}_{HHMMSS}`, relative to the resource's jobs directory."""
    name = f"proj_v2_{project_id:07d}_wf_{workflow_id:07d}_job_{job_id:07d}_{started:%Y%m%d_%H%M%S}"
    return f"{started:%Y-%m}/{name}"


def cache_dir(project_dir: str) -> str:
    """Where a user's tasks may cache, told to them as FRACTAL_CACHE_DIR."""
    return f"{project_dir.rstrip('/')}/fractal/.fractal_cache"


def task_subfolder(order: int, task_name: str) -> str:
    return f"{order}_{slug(task_name)}"


def normalise_package(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def version_key(version: str | None) -> tuple[int, Version, str]:
    """Sorts PEP 440 versions above other texts (alphabetical), and those above none at all."""
    if version is None:
        return (0, Version("0"), "")
    try:
        return (2, Version(version), "")
    except InvalidVersion:
        return (1, Version("0"), version)
