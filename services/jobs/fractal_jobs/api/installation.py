"""A new task group with a folder of its own on the cluster: where it is, and that nobody has it yet."""

from typing import Any

from fastapi import HTTPException
from fractal_common.bus import BusError
from fractal_common.database.models import Profile, Resource, TaskGroup
from fractal_common.messages import PathCheck, PathFacts
from fractal_common.types import ResourceType, TaskGroupOrigin
from sqlalchemy.exc import IntegrityError

from fractal_jobs.api import duplicates
from fractal_jobs.api.agents import Agents
from fractal_jobs.api.principals import Principal
from fractal_jobs.api.transactions import Session
from fractal_jobs.domain.paths import join


async def new_group(
    session: Session,
    cluster: Agents,
    principal: Principal,
    resource: Resource,
    profile: Profile,
    *,
    origin: TaskGroupOrigin,
    name: str,
    version: str,
    user_group_id: int | None,
    has_venv: bool,
    filename: str | None,
    **columns: Any,
) -> TaskGroup:
    """Raises 422 for names that are no folders, and for what is there already."""
    base = profile.tasks_remote_dir if resource.type == ResourceType.SLURM_SSH else resource.tasks_local_dir
    for field, value in (("pkg_name", name), ("version", version)):
        if "/" in value or value in {"", ".", ".."}:
            raise HTTPException(422, f"Invalid task-group object. Original error: {field}='{value}' names no folder.")
    path = join(base or "/", str(principal.id), name, version)
    await duplicates.check(session, principal, resource.id, name, version, user_group_id)
    if resource.type != ResourceType.SLURM_SSH and await _exists(cluster, resource, path):
        raise HTTPException(422, f"{path} already exists.")
    group = TaskGroup(
        user_id=principal.id,
        user_group_id=user_group_id,
        resource_id=resource.id,
        origin=origin,
        pkg_name=name,
        version=version,
        path=path,
        venv_path=f"{path}/venv" if has_venv else None,
        archive_path=None if filename is None else f"{path}/{filename}",
        **columns,
    )
    session.add(group)
    try:
        await session.flush()
    except IntegrityError as error:
        raise HTTPException(422, str(error.orig).strip()) from None
    return group


async def _exists(cluster: Agents, resource: Resource, path: str) -> bool:
    """Without an agent to ask, the collection itself will find out."""
    try:
        facts = await cluster.request(resource.id, "check", PathCheck(paths=[path]), PathFacts)
    except BusError:
        return False
    return path in facts.existing
