"""Workflows outside of a server: as they are exported, and as they are imported.

Tasks are named by package, version and name; there are no ids.
"""

from typing import Any, Self, cast

from fractal_common.types import DictStrAny, NonEmptyStr, TypeFilters, WorkflowTaskArguments
from pydantic import Field, model_validator

from fractal_jobs.api.schemas.base import Read, Strict


class TaskExport(Read):
    pkg_name: NonEmptyStr
    version: NonEmptyStr
    name: NonEmptyStr


class WorkflowTaskExport(Read):
    meta_non_parallel: dict[str, Any] | None = None
    meta_parallel: dict[str, Any] | None = None
    args_non_parallel: dict[str, Any] | None = None
    args_parallel: dict[str, Any] | None = None
    type_filters: dict[str, bool] = Field(default_factory=dict)
    description: str | None = None
    alias: str | None = None
    task: TaskExport


class WorkflowExport(Read):
    name: str
    description: str | None = None
    task_list: list[WorkflowTaskExport]


class TaskImport(Strict):
    pkg_name: NonEmptyStr
    version: NonEmptyStr | None = None
    name: NonEmptyStr


class WorkflowTaskImport(Strict):
    meta_non_parallel: DictStrAny | None = None
    meta_parallel: DictStrAny | None = None
    args_non_parallel: WorkflowTaskArguments | None = None
    args_parallel: WorkflowTaskArguments | None = None
    type_filters: TypeFilters | None = None
    input_filters: dict[str, Any] | None = None
    description: NonEmptyStr | None = None
    alias: NonEmptyStr | None = None
    task: TaskImport

    @model_validator(mode="before")
    @classmethod
    def _legacy_filters(cls, values: Any) -> Any:
        """`input_filters` of exports from before release 2.11 become type filters."""
        if not isinstance(values, dict) or not isinstance(values.get("input_filters"), dict):
            return cast("Any", values)
        given = cast("dict[str, Any]", values)
        legacy = cast("dict[str, Any]", given["input_filters"])
        if "type_filters" in given:
            raise ValueError(
                "Cannot set filters both through the legacy field ('filters') and the new one ('type_filters')."
            )
        if "attributes" not in legacy:
            raise ValueError(f"Legacy field `input_filters` must have `attributes` (given {legacy}).")
        if legacy["attributes"] != {}:
            raise ValueError("Cannot set attribute filters for WorkflowTasks.")
        return {**given, "input_filters": None, "type_filters": legacy.get("types")}

    @model_validator(mode="after")
    def _null_is_no_filter(self) -> Self:
        self.type_filters = self.type_filters or {}
        return self


class WorkflowImport(Strict):
    name: NonEmptyStr
    description: NonEmptyStr | None = None
    task_list: list[WorkflowTaskImport]

    def with_versions(self, versions: dict[int, str]) -> Self:
        """A copy in which the tasks at these indices, negative ones counted from the end, have other versions.

        Raises:
            IndexError: there is no such task.
        """
        copy = self.model_copy(deep=True)
        for index, version in versions.items():
            copy.task_list[index].task.version = version
        return copy


class WorkflowImportFromTemplate(Strict):
    name: NonEmptyStr | None = None
    override_versions: dict[int, NonEmptyStr] = Field(default_factory=dict)
