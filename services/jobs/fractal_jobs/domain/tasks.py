"""Tasks as requests and manifests define them."""

from typing import Any, Self

from fractal_common.types import (
    DictStrAny,
    HttpUrlStr,
    ListUniqueNonEmptyString,
    NonEmptyStr,
    TaskType,
    TypeFilters,
    validate_cmd,
)
from pydantic import BaseModel, ConfigDict, model_validator


class TaskCreate(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: NonEmptyStr
    command_non_parallel: NonEmptyStr = ""
    command_parallel: NonEmptyStr = ""
    version: NonEmptyStr
    meta_non_parallel: DictStrAny | None = None
    meta_parallel: DictStrAny | None = None
    args_schema_non_parallel: DictStrAny | None = None
    args_schema_parallel: DictStrAny | None = None
    args_schema_version: NonEmptyStr = ""
    docs_info: str | None = None
    docs_link: HttpUrlStr | None = None
    input_types: TypeFilters = {}
    output_types: TypeFilters = {}
    category: NonEmptyStr | None = None
    modality: NonEmptyStr | None = None
    authors: NonEmptyStr | None = None
    tags: ListUniqueNonEmptyString = []
    type: TaskType | None = None

    @model_validator(mode="after")
    def _has_a_safe_command(self) -> Self:
        commands = [command for command in (self.command_parallel, self.command_non_parallel) if command]
        if not commands:
            raise ValueError("Task must have at least one valid command (parallel and/or non_parallel)")
        for command in commands:
            validate_cmd(command)
        return self

    @property
    def kind(self) -> TaskType:
        """As given, else derived from the commands."""
        if self.type is not None:
            return self.type
        if not self.command_non_parallel:
            return TaskType.PARALLEL
        return TaskType.COMPOUND if self.command_parallel else TaskType.NON_PARALLEL

    def columns(self) -> dict[str, Any]:
        """Values of a task row, without its group."""
        values = self.model_dump(exclude={"type"})
        for name in ("command_non_parallel", "command_parallel", "args_schema_version"):
            values[name] = values[name] or None
        for name in ("meta_non_parallel", "meta_parallel"):
            values[name] = values[name] or {}
        return {**values, "type": self.kind.value, "is_core": False}
