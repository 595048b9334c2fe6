"""The default resource and profile, as the settings of this release and of earlier ones describe them.

Up to 2.16 an instance had one cluster, configured by environment variables; these now fill the default resource. They
go on to count: whenever the backend starts, what they say is brought to the row again, and said.
"""

import json
import os
import pwd
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, cast

from fractal_common.settings import ConfigurationError, DirectorySettings, SettingsGroup, given_values, load
from fractal_common.types import AbsolutePathStr, PythonVersion, ResourceType
from fractal_jobs.api.schemas.compute import profile_adapter, resource_adapter
from pydantic import BaseModel, Field, ValidationError

LOCAL_POLL_INTERVAL_S = 0
SLURM_POLL_INTERVAL_S = 5
NAMES = {
    ResourceType.LOCAL: ("Local resource", "Local profile"),
    ResourceType.SLURM_SUDO: ("SLURM resource", "SLURM profile"),
}
PYTHON_VARIABLE = "FRACTAL_TASKS_PYTHON_{}"

JsonObject = dict[str, Any]


class EarlierResourceSettings(SettingsGroup):
    """Variables that are fields of a resource since 2.17."""

    FRACTAL_SLURM_CONFIG_FILE: Path | None = None
    FRACTAL_LOCAL_CONFIG_FILE: Path | None = None
    FRACTAL_PIXI_CONFIG_FILE: Path | None = None
    FRACTAL_SLURM_WORKER_PYTHON: AbsolutePathStr | None = None
    FRACTAL_SLURM_POLL_INTERVAL: Annotated[int, Field(ge=0)] | None = None
    FRACTAL_PIP_CACHE_DIR: AbsolutePathStr | None = None
    FRACTAL_TASKS_PYTHON_DEFAULT_VERSION: PythonVersion | None = None
    FRACTAL_TASKS_PYTHON_3_9: AbsolutePathStr | None = None
    FRACTAL_TASKS_PYTHON_3_10: AbsolutePathStr | None = None
    FRACTAL_TASKS_PYTHON_3_11: AbsolutePathStr | None = None
    FRACTAL_TASKS_PYTHON_3_12: AbsolutePathStr | None = None
    FRACTAL_TASKS_PYTHON_3_13: AbsolutePathStr | None = None
    FRACTAL_TASKS_PYTHON_3_14: AbsolutePathStr | None = None


@dataclass
class DefaultCompute:
    """Bodies as the API takes them; `given` are the fields that variables said, with a note about each variable."""

    resource: JsonObject
    profile: JsonObject
    given: JsonObject = field(default_factory=dict[str, Any])
    notes: list[str] = field(default_factory=list[str])

    @property
    def name(self) -> str:
        return self.resource["name"]


def default_compute() -> DefaultCompute:
    """From the environment and the settings file.

    Raises:
        ConfigurationError: naming the variable or the file, and what is wrong with it.
    """
    earlier = load(EarlierResourceSettings)
    backend = _backend(earlier)
    slurm = backend == ResourceType.SLURM_SUDO
    name, profile_name = NAMES[backend]
    found = DefaultCompute(
        resource={
            "name": name,
            "type": backend.value,
            "jobs_local_dir": str(Path.cwd() / "data-jobs"),
            "tasks_local_dir": str(Path.cwd() / "data-tasks"),
            "tasks_python_config": _server_python(),
            "jobs_poll_interval": SLURM_POLL_INTERVAL_S if slurm else LOCAL_POLL_INTERVAL_S,
            "jobs_runner_config": {},
            "tasks_pixi_config": {},
            **({"jobs_slurm_python_worker": interpreter()} if slurm else {}),
        },
        profile={"name": profile_name, "resource_type": backend.value, **({"username": _account()} if slurm else {})},
    )
    if slurm and given_values().get("FRACTAL_RUNNER_BACKEND") == "slurm":
        found.notes.append("FRACTAL_RUNNER_BACKEND=slurm is slurm_sudo")
    if slurm:
        found.notes.append(
            f"profile '{profile_name}' acts as {found.profile['username']}, the account of this process: "
            "give users profiles with the account of each"
        )
    _directories(found)
    _runner(found, earlier, slurm=slurm)
    _python(found, earlier)
    _check(found)
    return found


def is_given() -> bool:
    """Whether any variable says something about the default resource."""
    return has_earlier() or any(name in given_values() for name in DirectorySettings.model_fields)


def has_earlier() -> bool:
    """Whether any of them is of the releases when there were no resources."""
    given = given_values()
    return given.get("FRACTAL_RUNNER_BACKEND") == "slurm" or any(
        name in given for name in EarlierResourceSettings.model_fields
    )


def interpreter() -> str:
    """The interpreter behind a virtual environment: task environments must not depend on ours."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def _server_python() -> JsonObject:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"default_version": version, "versions": {version: interpreter()}}


def _account() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _backend(earlier: EarlierResourceSettings) -> ResourceType:
    """SLURM if the variables of earlier releases say so; `default` alone has always been local."""
    given = given_values().get("FRACTAL_RUNNER_BACKEND", "local")
    if given == "slurm_ssh" and earlier.FRACTAL_SLURM_CONFIG_FILE is not None:
        raise ConfigurationError(
            "FRACTAL_RUNNER_BACKEND=slurm_ssh: host, key and remote directories are not in variables; "
            "give the resource and the profile as files (init-db-data --resource FILE --profile FILE)"
        )
    if given == "slurm" and earlier.FRACTAL_SLURM_CONFIG_FILE is None:
        raise ConfigurationError("FRACTAL_SLURM_CONFIG_FILE: must be set when FRACTAL_RUNNER_BACKEND=slurm")
    slurm = given == "slurm" or (given == "slurm_sudo" and earlier.FRACTAL_SLURM_CONFIG_FILE is not None)
    return ResourceType.SLURM_SUDO if slurm else ResourceType.LOCAL


def _became(found: DefaultCompute, variable: str, field_name: str, value: Any) -> None:
    found.given[field_name] = found.resource[field_name] = value
    found.notes.append(f"{variable}={given_values().get(variable, '')} became {field_name} of resource '{found.name}'")


def _directories(found: DefaultCompute) -> None:
    directories = load(DirectorySettings)
    for variable, field_name in (
        ("FRACTAL_TASKS_DIR", "tasks_local_dir"),
        ("FRACTAL_RUNNER_WORKING_BASE_DIR", "jobs_local_dir"),
    ):
        path: Path | None = getattr(directories, variable)
        if path is None:
            continue
        if given_values().get(variable, "").startswith("/"):
            found.given[field_name] = found.resource[field_name] = str(path)
        else:
            _became(found, variable, field_name, str(path))
            found.notes[-1] += f", as {path}: relative paths are below the working directory"


def _runner(found: DefaultCompute, earlier: EarlierResourceSettings, *, slurm: bool) -> None:
    file_variable = "FRACTAL_SLURM_CONFIG_FILE" if slurm else "FRACTAL_LOCAL_CONFIG_FILE"
    file: Path | None = getattr(earlier, file_variable)
    if file is not None:
        config = _json(file_variable, file)
        _became(found, file_variable, "jobs_runner_config", _without_commands(config) if slurm else config)
    if slurm and earlier.FRACTAL_SLURM_WORKER_PYTHON is not None:
        _became(found, "FRACTAL_SLURM_WORKER_PYTHON", "jobs_slurm_python_worker", earlier.FRACTAL_SLURM_WORKER_PYTHON)
    if slurm and earlier.FRACTAL_SLURM_POLL_INTERVAL is not None:
        _became(found, "FRACTAL_SLURM_POLL_INTERVAL", "jobs_poll_interval", earlier.FRACTAL_SLURM_POLL_INTERVAL)
    if earlier.FRACTAL_PIXI_CONFIG_FILE is not None:
        pixi = _json("FRACTAL_PIXI_CONFIG_FILE", earlier.FRACTAL_PIXI_CONFIG_FILE)
        _became(found, "FRACTAL_PIXI_CONFIG_FILE", "tasks_pixi_config", pixi)


def _without_commands(config: JsonObject) -> JsonObject:
    """`pre_submission_commands` may be there as long as there are none.

    Raises:
        ConfigurationError: there are some.
    """
    cleaned: JsonObject = dict(config)
    for part in ("default_slurm_config", "gpu_slurm_config"):
        if not isinstance(cleaned.get(part), dict):
            continue
        cleaned[part] = dict(cast("JsonObject", cleaned[part]))
        if cleaned[part].pop("pre_submission_commands", None):
            raise ConfigurationError(
                f"FRACTAL_SLURM_CONFIG_FILE: {part}.pre_submission_commands is not supported any more; "
                "lines of the batch script can be given as extra_lines"
            )
    return cleaned


def _python(found: DefaultCompute, earlier: EarlierResourceSettings) -> None:
    config = dict(found.resource["tasks_python_config"])
    default = earlier.FRACTAL_TASKS_PYTHON_DEFAULT_VERSION
    names = [name for name in EarlierResourceSettings.model_fields if name.startswith(PYTHON_VARIABLE.format("3"))]
    interpreters = {name: path for name in names if (path := getattr(earlier, name)) is not None}
    if default is not None:
        wanted = PYTHON_VARIABLE.format(default.replace(".", "_"))
        if wanted not in interpreters:
            raise ConfigurationError(f"FRACTAL_TASKS_PYTHON_DEFAULT_VERSION={default}, but {wanted} is not set")
        config = {
            "default_version": default,
            "versions": {
                name[len(PYTHON_VARIABLE) - 2 :].replace("_", "."): path for name, path in interpreters.items()
            },
        }
        _became(found, "FRACTAL_TASKS_PYTHON_DEFAULT_VERSION", "tasks_python_config", config)
        for name in interpreters:
            _became(found, name, "tasks_python_config", config)
    elif interpreters:
        found.notes.append(
            f"{', '.join(interpreters)} without FRACTAL_TASKS_PYTHON_DEFAULT_VERSION: "
            "only the server's Python is offered"
        )
    if earlier.FRACTAL_PIP_CACHE_DIR is not None:
        _became(
            found,
            "FRACTAL_PIP_CACHE_DIR",
            "tasks_python_config",
            config | {"pip_cache_dir": earlier.FRACTAL_PIP_CACHE_DIR},
        )


def _json(variable: str, file: Path) -> JsonObject:
    try:
        content: Any = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{variable}={file}: {error}") from None
    if not isinstance(content, dict):
        raise ConfigurationError(f"{variable}={file}: a JSON object is expected")
    return cast("JsonObject", content)


def _check(found: DefaultCompute) -> None:
    """Fill in defaults, or name the variable that the first wrong field comes from."""
    try:
        found.resource = _dump(resource_adapter.validate_python(found.resource))
        found.profile = _dump(profile_adapter.validate_python(found.profile))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = [str(part) for part in first["loc"][1:]]
        source = next((note.split(" became ")[0] for note in found.notes if f" became {place[0]} " in note), "settings")
        raise ConfigurationError(f"{source}: {'.'.join(place)}: {first['msg']}, not {first['input']!r}") from None
    found.given = {name: found.resource[name] for name in found.given}


def _dump(model: BaseModel) -> JsonObject:
    return model.model_dump(mode="json")
