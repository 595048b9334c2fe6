"""Words of the wire."""

from enum import StrEnum


class TaskType(StrEnum):
    COMPOUND = "compound"
    """Init process, then one process per item of the list that it returns."""
    CONVERTER_COMPOUND = "converter_compound"
    """As compound, without input images."""
    NON_PARALLEL = "non_parallel"
    """One process for all images."""
    CONVERTER_NON_PARALLEL = "converter_non_parallel"
    """One process, without input images."""
    PARALLEL = "parallel"
    """One process per image."""

    @property
    def is_converter(self) -> bool:
        return self in {TaskType.CONVERTER_COMPOUND, TaskType.CONVERTER_NON_PARALLEL}

    @property
    def is_compound(self) -> bool:
        return self in {TaskType.COMPOUND, TaskType.CONVERTER_COMPOUND}


class RunStatus(StrEnum):
    """Of jobs, history runs and history units alike; `submitted` covers queued and running."""

    SUBMITTED = "submitted"
    DONE = "done"
    FAILED = "failed"


class ProjectPermissions(StrEnum):
    """A permission includes another one when its letters do."""

    READ = "r"
    WRITE = "rw"
    EXECUTE = "rwx"


class TaskGroupOrigin(StrEnum):
    PYPI = "pypi"
    WHEELFILE = "wheel-file"
    PIXI = "pixi"
    OTHER = "other"


class ActivityStatus(StrEnum):
    PENDING = "pending"
    ONGOING = "ongoing"
    FAILED = "failed"
    OK = "OK"


class ActivityAction(StrEnum):
    COLLECT = "collect"
    DEACTIVATE = "deactivate"
    REACTIVATE = "reactivate"
    DELETE = "delete"
    RESET = "reset"


class ResourceType(StrEnum):
    LOCAL = "local"
    SLURM_SUDO = "slurm_sudo"
    SLURM_SSH = "slurm_ssh"
