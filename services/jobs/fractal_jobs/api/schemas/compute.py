"""Resources and profiles, a schema a resource type."""

from typing import Annotated, Any, Literal, Self, cast

from fractal_common.http.timestamps import ZuluTime
from fractal_common.types import AbsolutePathStr, DictStrStr, NonEmptyStr, PositiveInt, PythonVersion, ResourceType
from pydantic import AfterValidator, BaseModel, Discriminator, Tag, TypeAdapter, model_validator

from fractal_jobs.api.schemas.base import Lenient, Read, Strict
from fractal_jobs.api.schemas.pixi import pixi_config
from fractal_jobs.domain.errors import PlanError
from fractal_jobs.domain.slurm_config import memory_mb

MAX_INT = 2**31 - 1


def _memory_mb(value: int | str) -> int:
    try:
        return memory_mb(value)
    except PlanError as error:
        raise ValueError(str(error)) from None


MemoryMb = Annotated[PositiveInt | NonEmptyStr, AfterValidator(_memory_mb)]
"""Given as a number or a text, kept as a number."""


class TasksPythonConfig(Lenient):
    default_version: NonEmptyStr
    versions: dict[PythonVersion, AbsolutePathStr]
    pip_cache_dir: AbsolutePathStr | None = None

    @model_validator(mode="after")
    def _default_is_available(self) -> Self:
        if self.default_version not in self.versions:
            raise ValueError(
                f"The default Python version ('{self.default_version}') is not available in {list(self.versions)}."
            )
        return self


class LocalRunnerConfig(Strict):
    parallel_tasks_per_job: int | None = None


class SlurmConfig(Strict):
    partition: NonEmptyStr | None = None
    cpus_per_task: PositiveInt | None = None
    mem: MemoryMb | None = None
    constraint: NonEmptyStr | None = None
    gres: NonEmptyStr | None = None
    exclude: NonEmptyStr | None = None
    nodelist: NonEmptyStr | None = None
    time: NonEmptyStr | None = None
    account: NonEmptyStr | None = None
    gpus: NonEmptyStr | None = None
    nodes: int | None = None
    extra_lines: list[NonEmptyStr] = []
    shebang_line: str = "#!/bin/sh"
    use_mem_per_cpu: bool = False


class BatchingConfig(Strict):
    target_num_jobs: PositiveInt
    max_num_jobs: PositiveInt
    target_cpus_per_job: PositiveInt
    max_cpus_per_job: PositiveInt
    target_mem_per_job: MemoryMb
    max_mem_per_job: MemoryMb


class SlurmRunnerConfig(Strict):
    default_slurm_config: SlurmConfig
    gpu_slurm_config: SlurmConfig | None = None
    batching_config: BatchingConfig
    user_local_exports: DictStrStr = {}


def _storable(value: int) -> int:
    if abs(value) > MAX_INT:
        raise ValueError(f"must be between -{MAX_INT} and {MAX_INT}")
    return value


class _Resource(Lenient):
    name: NonEmptyStr
    tasks_python_config: TasksPythonConfig
    tasks_pixi_config: Annotated[dict[NonEmptyStr, Any], AfterValidator(pixi_config)]
    tasks_local_dir: AbsolutePathStr
    jobs_local_dir: AbsolutePathStr
    jobs_poll_interval: Annotated[int, AfterValidator(_storable)] = 5
    prevent_new_submissions: bool = False


class LocalResource(_Resource):
    type: Literal[ResourceType.LOCAL]
    jobs_runner_config: LocalRunnerConfig
    jobs_slurm_python_worker: None = None
    host: None = None


class SlurmSudoResource(_Resource):
    type: Literal[ResourceType.SLURM_SUDO]
    jobs_runner_config: SlurmRunnerConfig
    jobs_slurm_python_worker: AbsolutePathStr
    host: None = None


class SlurmSshResource(_Resource):
    type: Literal[ResourceType.SLURM_SSH]
    jobs_runner_config: SlurmRunnerConfig
    jobs_slurm_python_worker: AbsolutePathStr
    host: NonEmptyStr

    @model_validator(mode="after")
    def _pixi_runs_in_slurm(self) -> Self:
        if self.tasks_pixi_config and self.tasks_pixi_config["SLURM_CONFIG"] is None:
            raise ValueError("`tasks_pixi_config` must include `SLURM_CONFIG`.")
        return self


class _Profile(Lenient):
    name: NonEmptyStr


class LocalProfile(_Profile):
    resource_type: ResourceType
    username: None = None
    ssh_key_path: None = None
    jobs_remote_dir: None = None
    tasks_remote_dir: None = None
    pixi_cache_dir: None = None


class SlurmSudoProfile(_Profile):
    resource_type: ResourceType
    username: NonEmptyStr
    ssh_key_path: None = None
    jobs_remote_dir: None = None
    tasks_remote_dir: None = None
    pixi_cache_dir: None = None


class SlurmSshProfile(_Profile):
    resource_type: ResourceType
    username: NonEmptyStr
    ssh_key_path: AbsolutePathStr
    jobs_remote_dir: AbsolutePathStr
    tasks_remote_dir: AbsolutePathStr
    pixi_cache_dir: AbsolutePathStr | None = None


def _by(field: str) -> Discriminator:
    """Tells the schemas apart by a field of the object or model; error messages name the inner function."""

    def get_discriminator_value(value: Any) -> str | None:
        found = cast("dict[str, Any]", value).get(field) if isinstance(value, dict) else getattr(value, field, None)
        return found if found is None or isinstance(found, str) else repr(found)

    return Discriminator(get_discriminator_value)


ResourceCreate = Annotated[
    Annotated[LocalResource, Tag(ResourceType.LOCAL)]
    | Annotated[SlurmSudoResource, Tag(ResourceType.SLURM_SUDO)]
    | Annotated[SlurmSshResource, Tag(ResourceType.SLURM_SSH)],
    _by("type"),
]
ProfileCreate = Annotated[
    Annotated[LocalProfile, Tag(ResourceType.LOCAL)]
    | Annotated[SlurmSudoProfile, Tag(ResourceType.SLURM_SUDO)]
    | Annotated[SlurmSshProfile, Tag(ResourceType.SLURM_SSH)],
    _by("resource_type"),
]
resource_adapter: TypeAdapter[BaseModel] = TypeAdapter(ResourceCreate)
profile_adapter: TypeAdapter[BaseModel] = TypeAdapter(ProfileCreate)


class ResourceRead(Read):
    id: int
    name: str
    type: str
    prevent_new_submissions: bool
    timestamp_created: ZuluTime
    host: str | None
    jobs_local_dir: str
    jobs_runner_config: dict[str, Any]
    jobs_slurm_python_worker: str | None
    jobs_poll_interval: int
    tasks_local_dir: str
    tasks_python_config: dict[str, Any]
    tasks_pixi_config: dict[str, Any]


class ProfileRead(Read):
    id: int
    name: str
    resource_id: int
    resource_type: str
    username: str | None = None
    ssh_key_path: str | None = None
    jobs_remote_dir: str | None = None
    tasks_remote_dir: str | None = None
    pixi_cache_dir: str | None = None
