"""Forms and bodies of task collection."""

import json
from typing import Annotated, Any, cast

from fastapi import File, Form, HTTPException, UploadFile
from fractal_common.types import AbsolutePathStr, NonEmptyStr, PythonVersion, validate_cmd
from fractal_common.types.collections import strip_keys
from pydantic import AfterValidator, BaseModel, BeforeValidator, ValidationError, model_validator

from fractal_jobs.api.schemas.base import Strict
from fractal_jobs.domain.manifest import Manifest

FORBIDDEN_IN_FILENAMES = (";", "/")


def _pins(value: object) -> object:
    return strip_keys(json.loads(value)) if isinstance(value, str) else value


def _safe_pins(pins: dict[str, str]) -> dict[str, str]:
    for name, version in pins.items():
        validate_cmd(name, allow="[]")
        validate_cmd(version)
    return pins


Safe = Annotated[NonEmptyStr, AfterValidator(validate_cmd)]
Pins = Annotated[dict[str, NonEmptyStr], BeforeValidator(_pins), AfterValidator(_safe_pins)]


class TaskCollectPip(Strict):
    """What to install: a package of the index, or an uploaded wheel."""

    package: Safe | None = None
    package_version: Safe | None = None
    package_extras: Safe | None = None
    python_version: PythonVersion | None = None
    pinned_package_versions_pre: Pins | None = None
    pinned_package_versions_post: Pins | None = None


class CollectPipForm(BaseModel):
    """The form as a whole, with its file read."""

    request: TaskCollectPip
    filename: str | None = None
    content: bytes | None = None


async def collect_pip_form(
    package: Annotated[str | None, Form()] = None,
    package_version: Annotated[str | None, Form()] = None,
    package_extras: Annotated[str | None, Form()] = None,
    python_version: Annotated[PythonVersion | None, Form()] = None,
    pinned_package_versions_pre: Annotated[str | None, Form()] = None,
    pinned_package_versions_post: Annotated[str | None, Form()] = None,
    file: Annotated[UploadFile | None, File()] = None,
) -> CollectPipForm:
    """Raises 422 with a text, not a list: the form is checked as a whole."""
    values = {
        "package": package,
        "package_version": package_version,
        "package_extras": package_extras,
        "python_version": python_version,
        "pinned_package_versions_pre": pinned_package_versions_pre,
        "pinned_package_versions_post": pinned_package_versions_post,
    }
    try:
        for pins in (pinned_package_versions_pre, pinned_package_versions_post):
            json.loads(pins or "null")
        request = TaskCollectPip.model_validate({name: value or None for name, value in values.items()})
        filename = None if file is None else file.filename or ""
        _check_source(request, filename)
    except (ValidationError, ValueError) as error:
        raise HTTPException(422, f"Invalid request-body\n{error}") from None
    return CollectPipForm(request=request, filename=filename, content=await file.read() if file else None)


def _check_source(request: TaskCollectPip, filename: str | None) -> None:
    if filename is None:
        if request.package is None:
            raise ValueError("When no `file` is provided, `package` is required.")
        return
    if request.package is not None:
        raise ValueError(f"Cannot set `package` when `file` is provided (given package='{request.package}').")
    if request.package_version is not None:
        raise ValueError(
            f"Cannot set `package_version` when `file` is provided (given package_version='{request.package_version}')."
        )
    if any(character in filename for character in FORBIDDEN_IN_FILENAMES):
        raise ValueError(f"Wheel filename has forbidden characters, {list(FORBIDDEN_IN_FILENAMES)}")


class TaskCollectCustom(Strict):
    """Tasks of an environment that exists already."""

    manifest: Manifest
    python_interpreter: AbsolutePathStr
    label: NonEmptyStr
    package_root: AbsolutePathStr | None = None
    package_name: Safe | None = None
    version: NonEmptyStr

    @model_validator(mode="before")
    @classmethod
    def _one_place(cls, values: Any) -> Any:
        """Told before anything else that may be wrong."""
        if isinstance(values, dict):
            given = cast("dict[str, Any]", values)
            if (given.get("package_root") is None) == (given.get("package_name") is None):
                raise ValueError("One and only one must be set between 'package_root' and 'package_name'")
            return given
        return values
