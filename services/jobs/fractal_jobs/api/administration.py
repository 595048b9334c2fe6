"""`/admin/v2/`: resources and profiles."""

from typing import Annotated

from fastapi import APIRouter, Body, HTTPException
from fractal_common.database.models import Profile, Resource
from fractal_common.settings import app_settings
from fractal_common.types import ResourceType
from sqlalchemy.exc import IntegrityError

from fractal_jobs.api.access import PathId, known
from fractal_jobs.api.principals import Superuser
from fractal_jobs.api.schemas.compute import ProfileCreate, ProfileRead, ResourceCreate, ResourceRead
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.queries import compute

router = APIRouter(prefix="/admin/v2", tags=["Admin area"])

ResourceBody = Annotated[ResourceCreate, Body()]
ProfileBody = Annotated[ProfileCreate, Body()]


async def _resource(session: Session, resource_id: int) -> Resource:
    found = await compute.resource(session, known(resource_id))
    if found is None:
        raise HTTPException(404, f"Resource {resource_id} not found")
    return found


async def _profile(session: Session, profile_id: int) -> Profile:
    found = await compute.profile(session, known(profile_id))
    if found is None:
        raise HTTPException(404, f"Profile {profile_id} not found")
    return found


def _kind(value: str) -> str:
    """As the enumeration prints: `<ResourceType.LOCAL: 'local'>`."""
    member = ResourceType(value)
    return f"<ResourceType.{member.name}: '{member.value}'>"


def _check_backend(body: ResourceBody) -> None:
    backend = app_settings().FRACTAL_RUNNER_BACKEND
    if backend != body.type:
        raise HTTPException(422, f"settings.FRACTAL_RUNNER_BACKEND='{backend}' != new_resource.type={_kind(body.type)}")


async def _check_resource_name(session: Session, name: str) -> None:
    if await compute.resource_named(session, name):
        raise HTTPException(422, f"Resource with name '{name}' already exists.")


async def _check_profile_name(session: Session, name: str) -> None:
    if await compute.profile_named(session, name):
        raise HTTPException(422, f"Profile with name '{name}' already exists.")


@router.get("/resource/", response_model=list[ResourceRead])
async def list_resources(principal: Superuser, session: Reading) -> object:
    return await compute.resources(session)


@router.get("/resource/{resource_id}/", response_model=ResourceRead)
async def read_resource(principal: Superuser, session: Reading, resource_id: PathId) -> object:
    return await _resource(session, resource_id)


@router.post("/resource/", response_model=ResourceRead, status_code=201)
async def create_resource(principal: Superuser, session: Session, body: ResourceBody) -> object:
    _check_backend(body)
    await _check_resource_name(session, body.name)
    resource = Resource(**body.model_dump(mode="json"))
    session.add(resource)
    await session.flush()
    await session.refresh(resource)
    return resource


@router.put("/resource/{resource_id}/", response_model=ResourceRead)
async def replace_resource(principal: Superuser, session: Session, resource_id: PathId, body: ResourceBody) -> object:
    _check_backend(body)
    resource = await _resource(session, resource_id)
    if body.name != resource.name:
        await _check_resource_name(session, body.name)
    for name, value in body.model_dump(mode="json").items():
        setattr(resource, name, value)
    return resource


@router.delete("/resource/{resource_id}/", status_code=204)
async def delete_resource(principal: Superuser, session: Session, resource_id: PathId) -> None:
    resource = await _resource(session, resource_id)
    try:
        await session.delete(resource)
        await session.flush()
    except IntegrityError as error:
        raise HTTPException(422, f"IntegrityError for resource deletion. Original error:\n{error.orig}") from None


@router.get("/resource/{resource_id}/profile/", response_model=list[ProfileRead])
async def list_resource_profiles(principal: Superuser, session: Reading, resource_id: PathId) -> object:
    return await compute.profiles(session, (await _resource(session, resource_id)).id)


@router.post("/resource/{resource_id}/profile/", response_model=ProfileRead, status_code=201)
async def create_profile(principal: Superuser, session: Session, resource_id: PathId, body: ProfileBody) -> object:
    resource = await _resource(session, resource_id)
    if resource.type != body.resource_type:
        raise HTTPException(
            422, f"resource.type='{resource.type}' differs from new_profile.resource_type={_kind(body.resource_type)}."
        )
    await _check_profile_name(session, body.name)
    profile = Profile(**body.model_dump(mode="json"), resource_id=resource.id)
    session.add(profile)
    await session.flush()
    return profile


@router.get("/profile/", response_model=list[ProfileRead])
async def list_profiles(principal: Superuser, session: Reading) -> object:
    return await compute.profiles(session)


@router.get("/profile/{profile_id}/", response_model=ProfileRead)
async def read_profile(principal: Superuser, session: Reading, profile_id: PathId) -> object:
    return await _profile(session, profile_id)


@router.put("/profile/{profile_id}/", response_model=ProfileRead)
async def replace_profile(principal: Superuser, session: Session, profile_id: PathId, body: ProfileBody) -> object:
    profile = await _profile(session, profile_id)
    if body.name != profile.name:
        await _check_profile_name(session, body.name)
    for name, value in body.model_dump(mode="json").items():
        setattr(profile, name, value)
    return profile


@router.delete("/profile/{profile_id}/", status_code=204)
async def delete_profile(principal: Superuser, session: Session, profile_id: PathId) -> None:
    profile = await _profile(session, profile_id)
    users = await compute.users_of(session, profile.id)
    if users:
        raise HTTPException(422, f"Cannot delete Profile {profile.id} because it's associated with {users} UserOAuths.")
    await session.delete(profile)
