"""`/auth/group/`."""

from fastapi import APIRouter, HTTPException
from fractal_common.settings import app_settings

from fractal_auth.api.dependencies import Session, Superuser
from fractal_auth.api.lookup import default_group_id, existing_group, existing_user
from fractal_auth.api.reading import read_groups
from fractal_auth.api.schemas import UserGroupCreate, UserGroupRead
from fractal_auth.queries import groups

router = APIRouter(prefix="/group")


@router.get("/", response_model=list[UserGroupRead])
async def get_list_user_groups(admin: Superuser, session: Session, user_ids: bool = False) -> object:
    return await read_groups(session, await groups.list_all(session), with_users=user_ids)


@router.get("/{group_id}/", response_model=UserGroupRead)
async def get_single_user_group(admin: Superuser, session: Session, group_id: int) -> object:
    return (await read_groups(session, [await existing_group(session, group_id)], with_users=True))[0]


@router.post("/", response_model=UserGroupRead, status_code=201)
async def create_single_group(admin: Superuser, session: Session, body: UserGroupCreate) -> object:
    group = await groups.create(session, body.name)
    if group is None:
        raise HTTPException(422, "A group with the same name already exists")
    return (await read_groups(session, [group], with_users=True))[0]


@router.delete("/{group_id}/", status_code=204)
async def delete_single_group(admin: Superuser, session: Session, group_id: int) -> None:
    """Memberships go with it; what was shared with the group becomes its owner's alone."""
    group = await existing_group(session, group_id)
    if group.name == app_settings().FRACTAL_DEFAULT_GROUP_NAME:
        raise HTTPException(422, f"Cannot delete default UserGroup '{group.name}'.")
    await session.delete(group)


@router.post("/{group_id}/add-user/{user_id}/", response_model=UserGroupRead)
async def add_user_to_group(admin: Superuser, session: Session, group_id: int, user_id: int) -> object:
    group = await existing_group(session, group_id)
    user = await existing_user(session, user_id)
    if not await groups.add_members(session, [group.id], user.id):
        raise HTTPException(422, f"User '{user.email}' is already a member of group {group.id}.")
    return (await read_groups(session, [group], with_users=True))[0]


@router.post("/{group_id}/remove-user/{user_id}/", response_model=UserGroupRead)
async def remove_user_from_group(admin: Superuser, session: Session, group_id: int, user_id: int) -> object:
    group = await existing_group(session, group_id)
    user = await existing_user(session, user_id)
    if group.id == await default_group_id(session):
        raise HTTPException(422, ["Cannot remove user from 'All' group."])
    if not await groups.remove_members(session, [group.id], user.id):
        raise HTTPException(422, f"User '{user.email}' is not a member of group {group.id}.")
    return (await read_groups(session, [group], with_users=True))[0]
