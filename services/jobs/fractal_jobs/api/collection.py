"""`/task/collect/`: task packages become task groups."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException, UploadFile
from fractal_common.bus import BusError
from fractal_common.database.models import Resource, Task, TaskGroup
from fractal_common.messages import PathCheck, PathFacts
from fractal_common.types import ActivityAction, NonEmptyStr, ResourceType, TaskGroupOrigin
from pydantic import ValidationError, WithJsonSchema

from fractal_jobs.api import access, duplicates
from fractal_jobs.api.agents import Agents, agents
from fractal_jobs.api.installation import new_group
from fractal_jobs.api.lifecycle import announce
from fractal_jobs.api.packageindex import resolve_version
from fractal_jobs.api.pixi import available_version
from fractal_jobs.api.principals import Writer
from fractal_jobs.api.profiles import validated
from fractal_jobs.api.schemas.collection import CollectPipForm, TaskCollectCustom, collect_pip_form
from fractal_jobs.api.schemas.tasks import TaskGroupActivityRead, TaskRead
from fractal_jobs.api.transactions import Session
from fractal_jobs.domain.manifest import task_fields
from fractal_jobs.domain.names import normalise_package
from fractal_jobs.domain.tasks import TaskCreate

router = APIRouter(prefix="/task/collect")

PIXI_SUFFIX = ".tar.gz"
LockfileFlag = Annotated[bool, WithJsonSchema({"type": "string", "enum": ["true", "false"], "default": "true"}), Form()]
"""A word of a form; any that means true or false is accepted."""

Cluster = Annotated[Agents, Depends(agents)]


@router.post("/pip/", response_model=TaskGroupActivityRead, status_code=202)
async def collect_pip(
    form: Annotated[CollectPipForm, Depends(collect_pip_form)],
    principal: Writer,
    session: Session,
    cluster: Cluster,
    user_group_id: int | None = None,
    private: bool = False,
) -> object:
    """The group, the activity and the command are written in one transaction; an agent does the work."""
    resource, profile = validated(principal)
    request = form.request
    versions: dict[str, str] = resource.tasks_python_config["versions"]
    python_version = request.python_version or resource.tasks_python_config["default_version"]
    if python_version not in versions:
        raise HTTPException(422, f"Python version {python_version} is not available for this Fractal resource.")
    if form.filename is not None:
        origin = TaskGroupOrigin.WHEELFILE
        name, version = _wheel_name(form.filename)
    else:
        origin = TaskGroupOrigin.PYPI
        package = request.package or ""
        name = normalise_package(package)
        version = await resolve_version(package, name, request.package_version)
    group_id = await access.target_group(session, principal, user_group_id, private=private)
    group = await new_group(
        session,
        cluster,
        principal,
        resource,
        profile,
        origin=origin,
        name=name,
        version=version,
        user_group_id=group_id,
        has_venv=True,
        filename=form.filename,
        python_version=python_version,
        pip_extras=request.package_extras,
        pinned_package_versions_pre=request.pinned_package_versions_pre or {},
        pinned_package_versions_post=request.pinned_package_versions_post or {},
    )
    archive = None if form.filename is None else (form.filename, form.content or b"")
    return await announce(session, group, resource, profile, ActivityAction.COLLECT, archive=archive)


@router.post("/pixi/", response_model=TaskGroupActivityRead, status_code=202)
async def collect_pixi(
    principal: Writer,
    session: Session,
    cluster: Cluster,
    file: UploadFile,
    pixi_version: Annotated[NonEmptyStr | None, Form()] = None,
    use_pixi_lockfile: LockfileFlag = True,
    private: bool = False,
    user_group_id: int | None = None,
) -> object:
    """As `collect_pip`, for a project with a `pyproject.toml` that pixi installs."""
    resource, profile = validated(principal)
    pixi_version = available_version(resource, pixi_version)
    filename = file.filename or ""
    name, version = _project_name(filename)
    group_id = await access.target_group(session, principal, user_group_id, private=private)
    group = await new_group(
        session,
        cluster,
        principal,
        resource,
        profile,
        origin=TaskGroupOrigin.PIXI,
        name=name,
        version=version,
        user_group_id=group_id,
        has_venv=False,
        filename=filename,
        pixi_version=pixi_version,
    )
    archive = (filename, await file.read())
    return await announce(
        session,
        group,
        resource,
        profile,
        ActivityAction.COLLECT,
        archive=archive,
        use_lockfile=use_pixi_lockfile,
    )


@router.post("/custom/", response_model=list[TaskRead], status_code=201)
async def collect_custom(
    principal: Writer,
    session: Session,
    cluster: Cluster,
    body: TaskCollectCustom,
    user_group_id: int | None = None,
    private: bool = False,
) -> object:
    """The environment exists: its paths are checked by the agent, and its tasks are there at once."""
    resource, _ = validated(principal)
    group_id = await access.target_group(session, principal, user_group_id, private=private)
    package_root = await _package_root(cluster, resource, body)
    try:
        definitions = [
            TaskCreate.model_validate(fields)
            for fields in task_fields(
                body.manifest, version=body.version, python=body.python_interpreter, package_root=package_root
            )
        ]
    except ValidationError as error:
        raise HTTPException(422, f"Invalid task in the manifest. Original error: {error}") from None
    await duplicates.check(session, principal, resource.id, body.label, body.version, group_id)
    group = TaskGroup(
        user_id=principal.id,
        user_group_id=group_id,
        resource_id=resource.id,
        origin=TaskGroupOrigin.OTHER,
        pkg_name=body.label,
        version=body.version,
    )
    session.add(group)
    await session.flush()
    rows = [Task(**definition.columns(), taskgroupv2_id=group.id) for definition in definitions]
    session.add_all(rows)
    await session.flush()
    return rows


def _wheel_name(filename: str) -> tuple[str, str]:
    """Normalised name and version: the first two parts between dashes."""
    parts = filename.split("-")
    if len(parts) < 2:
        problem = f"Invalid wheel_filename='{filename}'. Original error: list index out of range."
        raise HTTPException(422, [f"Invalid wheel-file name {filename}. Original error: {problem}"])
    return normalise_package(parts[0]), parts[1]


def _project_name(filename: str) -> tuple[str, str]:
    """Normalised name and version: the two parts of `name-version.tar.gz`."""
    if "/" in filename or ".." in filename:
        raise HTTPException(422, f"filename='{filename}' has a forbidden part ('/' or '..').")
    stem = filename.removesuffix(PIXI_SUFFIX)
    if stem == filename:
        raise HTTPException(422, f"{filename=} does not end with '{PIXI_SUFFIX}'.")
    parts = stem.split("-")
    if len(parts) != 2:
        raise HTTPException(
            422,
            f"Invalid filename: '{filename}' must contain a single `-` character, separating the package name from "
            "the version (expected format: 'pkg_name-version').",
        )
    return normalise_package(parts[0]), parts[1]


async def _package_root(cluster: Agents, resource: Resource, body: TaskCollectCustom) -> str:
    if resource.type == ResourceType.SLURM_SSH:
        if body.package_root is None:
            raise HTTPException(422, "Cannot infer 'package_root' with 'slurm_ssh' backend.")
        return body.package_root
    interpreter = body.python_interpreter
    name = None if body.package_name is None else body.package_name.replace("-", "_")
    request = PathCheck(
        paths=[interpreter, *([body.package_root] if body.package_root else [])],
        package_interpreter=interpreter if name else None,
        package_name=name,
    )
    try:
        facts = await cluster.request(resource.id, "check", request, PathFacts, timeout_s=30.0)
    except BusError as error:
        raise HTTPException(503, f"The paths cannot be checked now: {error}.") from None
    prefix = "task_collect.python_interpreter"
    if interpreter not in facts.executable:
        raise HTTPException(
            422, f"{prefix}='{interpreter}' is not accessible to the Fractal user or it is not executable."
        )
    if interpreter not in facts.files:
        raise HTTPException(422, f"{prefix}='{interpreter}' is not a file.")
    root: Any = body.package_root
    if root is not None:
        if root not in facts.existing:
            raise HTTPException(422, f"task_collect.package_root='{root}' is not accessible to the Fractal user.")
        if root not in facts.directories:
            raise HTTPException(422, f"task_collect.package_root='{root}' is not a directory.")
        return root
    if facts.package_root is None:
        raise HTTPException(
            422,
            "Cannot determine 'package_root'.\n"
            f"Original output: {facts.package_stdout}\nOriginal error: {facts.package_stderr}",
        )
    return facts.package_root
