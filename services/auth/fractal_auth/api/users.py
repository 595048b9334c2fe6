"""`/auth/register/` and `/auth/users/`."""

from typing import Any

from fastapi import APIRouter, HTTPException
from fractal_common.database.models import User
from fractal_common.settings import app_settings
from fractal_common.telemetry import get_logger

from fractal_auth.api.dependencies import Session, Superuser, changed
from fractal_auth.api.lookup import MAX_ID, default_group_id, existing_user
from fractal_auth.api.reading import read_user, read_users
from fractal_auth.api.schemas import ErrorModel, UserCreate, UserRead, UserUpdate, UserUpdateGroups
from fractal_auth.domain.passwords import InvalidPassword, check_length, hash_password
from fractal_auth.domain.paths import is_covered
from fractal_auth.queries import groups, users

log = get_logger(__name__)
router = APIRouter()


@router.post(
    "/register/",
    response_model=UserRead,
    status_code=201,
    name="register:register",
    responses={400: {"model": ErrorModel}},
)
async def register(admin: Superuser, session: Session, body: UserCreate) -> object:
    _check_password(body.password, "REGISTER_INVALID_PASSWORD")
    hashed = await hash_password(body.password)
    if await users.reserve_email(session, body.email) is not None:
        raise HTTPException(400, "REGISTER_USER_ALREADY_EXISTS")
    if body.profile_id is not None:
        await _check_profile(session, body.profile_id)
    user = User(
        email=body.email,
        hashed_password=hashed,
        is_active=True,
        is_superuser=False,
        is_verified=False,
        is_guest=body.is_guest,
        profile_id=body.profile_id,
        project_dirs=body.project_dirs,
        slurm_accounts=body.slurm_accounts,
    )
    session.add(user)
    await session.flush()
    name = app_settings().FRACTAL_DEFAULT_GROUP_NAME
    if name is not None:
        group = await groups.by_name(session, name)
        if group is None:
            log.error("default_group.missing", name=name)
        else:
            await groups.add_members(session, [group.id], user.id)
    return await read_user(session, user, with_groups=False)


@router.get("/users/", response_model=list[UserRead])
async def list_users(admin: Superuser, session: Session, profile_id: int | None = None) -> object:
    if profile_id is not None and abs(profile_id) > MAX_ID:
        return []
    return await read_users(session, await users.list_all(session, profile_id))


@router.get("/users/{user_id}/", response_model=UserRead)
async def get_user(admin: Superuser, session: Session, user_id: int, group_ids_names: bool = True) -> object:
    return await read_user(session, await existing_user(session, user_id), with_groups=group_ids_names)


@router.patch("/users/{user_id}/", response_model=UserRead)
async def patch_user(admin: Superuser, session: Session, user_id: int, body: UserUpdate) -> object:
    """The checks come in the contract's order, and the changes after all of them."""
    user = await existing_user(session, user_id, to_change=True)
    changes: dict[str, Any] = body.model_dump(exclude_unset=True)
    if changes.get("profile_id") is not None:
        await _check_profile(session, changes["profile_id"])
    if "project_dirs" in changes:
        await _check_removed_dirs(session, user, changes["project_dirs"])
    if changes.get("is_guest") and changes.get("is_superuser", user.is_superuser):
        raise HTTPException(422, "Superuser cannot be guest.")
    password = changes.pop("password", None)
    if password is not None:
        _check_password(password, "UPDATE_USER_INVALID_PASSWORD")
    email = changes.get("email", user.email)
    if email != user.email:
        if await users.reserve_email(session, email) is not None:
            raise HTTPException(400, "UPDATE_USER_EMAIL_ALREADY_EXISTS")
        changes.setdefault("is_verified", False)
    if password is not None:
        user.hashed_password = await hash_password(password)
    for name, value in changes.items():
        setattr(user, name, value)
    await session.flush()
    changed(session, user.id)
    return await read_user(session, user, with_groups=True)


@router.post("/users/{user_id}/set-groups/", response_model=UserRead)
async def set_user_groups(admin: Superuser, session: Session, user_id: int, body: UserUpdateGroups) -> object:
    user = await existing_user(session, user_id, to_change=True)
    wanted = set(body.group_ids)
    if wanted - await groups.existing(session, [group for group in wanted if group <= MAX_ID]):
        raise HTTPException(404, f"Some UserGroups in {body.group_ids} do not exist.")
    default = await default_group_id(session)
    if default is not None and default not in wanted:
        raise HTTPException(422, ["Cannot remove user from 'All' group."])
    current = {group_id for group_id, _ in await users.groups(session, user.id)}
    await groups.remove_members(session, sorted(current - wanted), user.id)
    await groups.add_members(session, [group for group in body.group_ids if group not in current], user.id)
    return await read_user(session, user, with_groups=True)


def _check_password(password: str, code: str) -> None:
    try:
        check_length(password)
    except InvalidPassword as error:
        raise HTTPException(400, {"code": code, "reason": str(error)}) from None


async def _check_profile(session: Session, profile_id: int) -> None:
    if abs(profile_id) > MAX_ID or not await users.profile_exists(session, profile_id):
        raise HTTPException(404, f"Profile {profile_id} not found.")


async def _check_removed_dirs(session: Session, user: User, new: list[str]) -> None:
    """A directory below which the user still has datasets cannot be taken away."""
    removed = [old for old in user.project_dirs if not is_covered(old, new)]
    if not removed:
        return
    for zarr_dir in await users.zarr_dirs(session, user.id):
        if is_covered(zarr_dir, removed) and not is_covered(zarr_dir, new):
            raise HTTPException(
                422,
                f"You tried updating the user project_dirs, removing {removed}. This operation is not possible, "
                "because it would make the user loose access to some of their dataset zarr directories.",
            )
