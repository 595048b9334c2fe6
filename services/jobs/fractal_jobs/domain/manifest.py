"""Package manifests, version 2: what a task package says of its tasks."""

from typing import Any, Literal, Self

from fractal_common.types import DictStrAny, HttpUrlStr, NonEmptyStr, TaskType
from pydantic import BaseModel, model_validator


class ManifestTask(BaseModel):
    """One task; unknown keys are ignored."""

    name: str
    executable_non_parallel: str | None = None
    executable_parallel: str | None = None
    input_types: dict[str, bool] = {}
    output_types: dict[str, bool] = {}
    meta_non_parallel: DictStrAny = {}
    meta_parallel: DictStrAny = {}
    args_schema_non_parallel: DictStrAny | None = None
    args_schema_parallel: DictStrAny | None = None
    docs_info: str | None = None
    docs_link: HttpUrlStr | None = None
    category: str | None = None
    modality: str | None = None
    tags: list[str] = []
    type: TaskType | None = None

    @model_validator(mode="after")
    def _parts_have_executables(self) -> Self:
        prefix = "TaskManifestV2"
        if self.executable_non_parallel is None and self.executable_parallel is None:
            raise ValueError(
                f"`{prefix}.executable_non_parallel` and `{prefix}.executable_parallel` cannot be both None."
            )
        for part in ("non_parallel", "parallel"):
            if getattr(self, f"executable_{part}") is not None:
                continue
            meta, schema = getattr(self, f"meta_{part}"), getattr(self, f"args_schema_{part}")
            if meta:
                raise ValueError(
                    f"`{prefix}.meta_{part}` must be an empty dict if `{prefix}.executable_{part}` is None. "
                    f"Given: {meta}."
                )
            if schema is not None:
                raise ValueError(
                    f"`{prefix}.args_schema_{part}` must be None if `{prefix}.executable_{part}` is None. "
                    f"Given: {schema}."
                )
        return self


class Manifest(BaseModel):
    """`__FRACTAL_MANIFEST__.json`."""

    manifest_version: Literal["2"]
    task_list: list[ManifestTask]
    has_args_schemas: bool = False
    args_schema_version: str | None = None
    authors: NonEmptyStr | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.has_args_schemas:
            for task in self.task_list:
                for part in ("parallel", "non_parallel"):
                    schema = getattr(task, f"args_schema_{part}")
                    if getattr(task, f"executable_{part}") is not None and schema is None:
                        raise ValueError(
                            f"Manifest has has_args_schemas=True, but task '{task.name}' has "
                            f"task.args_schema_{part}=None."
                        )
        names = [task.name for task in self.task_list]
        if len(set(names)) != len(names):
            raise ValueError("Task names in manifest must be unique.\n", f"Given: {names}.")
        return self


def task_fields(manifest: Manifest, *, version: str, python: str, package_root: str) -> list[dict[str, Any]]:
    """Fields of the manual-task schema for every task; commands are `{python} {package_root}/{executable}`."""
    found: list[dict[str, Any]] = []
    for task in manifest.task_list:
        fields = task.model_dump(exclude={"executable_non_parallel", "executable_parallel"})
        for part in ("non_parallel", "parallel"):
            executable = getattr(task, f"executable_{part}")
            if executable is not None:
                fields[f"command_{part}"] = f"{python} {package_root}/{executable}"
        if manifest.has_args_schemas and manifest.args_schema_version is not None:
            fields["args_schema_version"] = manifest.args_schema_version
        found.append({**fields, "version": version, "authors": manifest.authors})
    return found
