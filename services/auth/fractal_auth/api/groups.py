"""`/auth/group/`."""

from fastapi import APIRouter, HTTPException
from fractal_common.database.models import UserGroup
from fractal_common.settings import app_settings

from fractal_auth.api.dependencies import Session, Superuser
from fractal_auth.api.reading import read_groups
from fractal_auth.api.schemas import GroupCreate, GroupRead
from fractal_auth.api.users import MAX_ID, default_group_id, get_user
from fractal_auth.queries import groups

router = APIRouter(prefix="/group")


async def _get(session: Session, group_id: int) -> UserGroup:
    group = await groups.get(session, group_id) if abs(group_id) <= MAX_ID else None
    if group is None:
        raise HTTPException(404, f"UserGroup {group_id} not found.")
    return group


@router.get("/", response_model=list[GroupRead])
async def list_groups(admin: Superuser, session: Session, user_ids: bool = False) -> object:
    return await read_groups(session, await groups.list_all(session), with_users=user_ids)


@router.get("/{group_id}/", response_model=GroupRead)
async def read_group(admin: Superuser, session: Session, group_id: int) -> object:
    return (await read_groups(session, [await _get(session, group_id)], with_users=True))[0]


@router.post("/", response_model=GroupRead, status_code=201)
async def create_group(admin: Superuser, session: Session, body: GroupCreate) -> object:
    if await groups.by_name(session, body.name) is not None:
        raise HTTPException(422, "A group with the same name already exists")
    group = UserGroup(name=body.name)
    session.add(group)
    await session.flush()
    await session.refresh(group)
    return (await read_groups(session, [group], with_users=True))[0]


@router.delete("/{group_id}/", status_code=204)
async def delete_group(admin: Superuser, session: Session, group_id: int) -> None:
    group = await _get(session, group_id)
    if group.name == app_settings().FRACTAL_DEFAULT_GROUP_NAME:
        raise HTTPException(422, f"Cannot delete default UserGroup '{group.name}'.")
    await session.delete(group)


@router.post("/{group_id}/add-user/{user_id}/", response_model=GroupRead)
async def add_user(admin: Superuser, session: Session, group_id: int, user_id: int) -> object:
    group = await _get(session, group_id)
    user = await get_user(session, user_id)
    if await groups.is_member(session, group.id, user.id):
        raise HTTPException(422, f"User '{user.email}' is already a member of group {group.id}.")
    await groups.add_members(session, [group.id], user.id)
    return (await read_groups(session, [group], with_users=True))[0]


@router.post("/{group_id}/remove-user/{user_id}/", response_model=GroupRead)
async def remove_user(admin: Superuser, session: Session, group_id: int, user_id: int) -> object:
    group = await _get(session, group_id)
    user = await get_user(session, user_id)
    if group.id == await default_group_id(session):
        raise HTTPException(422, ["Cannot remove user from 'All' group."])
    if not await groups.is_member(session, group.id, user.id):
        raise HTTPException(422, f"User '{user.email}' is not a member of group {group.id}.")
    await groups.remove_members(session, [group.id], user.id)
    return (await read_groups(session, [group], with_users=True))[0]
