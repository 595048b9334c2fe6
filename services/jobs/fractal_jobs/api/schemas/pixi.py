"""`tasks_pixi_config` of a resource: where pixi is, and how it may be used."""

from pathlib import PurePosixPath
from typing import Annotated, Any, Self

from fractal_common.types import DictStrStr, NonEmptyStr, PositiveInt
from pydantic import AfterValidator, model_validator

from fractal_jobs.api.schemas.base import Lenient

MEMORY_SUFFIXES = ("K", "M", "G", "T")


def _has_a_unit(value: str) -> str:
    if not value.endswith(MEMORY_SUFFIXES):
        raise ValueError(f"Invalid memory requirement '{value}' for `pixi`, please set a K/M/G/T units suffix.")
    return value


Memory = Annotated[NonEmptyStr, AfterValidator(_has_a_unit)]


class PixiSlurmConfig(Lenient):
    """The SLURM job in which environments are made where the server may not install by itself."""

    partition: NonEmptyStr
    cpus: PositiveInt
    mem: Memory | None = None
    mem_per_cpu: Memory | None = None
    time: NonEmptyStr
    preamble: list[NonEmptyStr] = []

    @model_validator(mode="after")
    def _memory_is_given_once(self) -> Self:
        if (self.mem is None) == (self.mem_per_cpu is None):
            raise ValueError("You must set either `mem` or `mem_per_cpu`.")
        return self


class TasksPixiConfig(Lenient):
    """Each version's folder has the binary at `bin/pixi`."""

    versions: DictStrStr
    default_version: str
    PIXI_CONCURRENT_SOLVES: int = 4
    PIXI_CONCURRENT_DOWNLOADS: int = 4
    TOKIO_WORKER_THREADS: int = 2
    DEFAULT_ENVIRONMENT: str = "default"
    DEFAULT_PLATFORM: str = "linux-64"
    SLURM_CONFIG: PixiSlurmConfig | None = None

    @model_validator(mode="after")
    def _versions_are_side_by_side(self) -> Self:
        if self.default_version not in self.versions:
            raise ValueError(
                f"Default version '{self.default_version}' not in available version {list(self.versions)}."
            )
        base = PurePosixPath(self.versions[self.default_version]).parent
        for version, folder in self.versions.items():
            path = PurePosixPath(folder)
            if path.parent != base:
                raise ValueError(
                    f"pixi_path=PosixPath('{path}') is not located within the pixi_base_dir=PosixPath('{base}')."
                )
            if path.name != version:
                raise ValueError(f"pixi_path.name='{path.name}' is not equal to key='{version}'")
        return self


def pixi_config(value: dict[str, Any]) -> dict[str, Any]:
    """With every default filled in; empty where pixi is not available.

    Raises:
        ValidationError: which pydantic, from within a validator, takes over with the place of each problem.
    """
    return TasksPixiConfig.model_validate(value).model_dump() if value else value
