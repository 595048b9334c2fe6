"""`/auth/current-user/`."""

from fastapi import APIRouter, HTTPException

from fractal_auth.api.dependencies import Active, Session, Verified
from fractal_auth.api.reading import read_user
from fractal_auth.api.schemas import ProfileInfo, UserRead, UserUpdateSelf
from fractal_auth.queries import users

router = APIRouter(prefix="/current-user")


@router.get("/", response_model=UserRead)
async def read_current_user(user: Active, session: Session, group_ids_names: bool = False) -> object:
    return await read_user(session, user, with_groups=group_ids_names)


@router.patch("/", response_model=UserRead)
async def update_current_user(user: Active, session: Session, body: UserUpdateSelf) -> object:
    if user.is_guest:
        raise HTTPException(403, "This feature is not available for guest users.")
    if "slurm_accounts" in body.model_fields_set:
        user.slurm_accounts = body.slurm_accounts
    return await read_user(session, user, with_groups=True)


@router.get("/profile-info/", response_model=ProfileInfo)
async def read_profile_info(user: Active, session: Session) -> object:
    info = await users.profile_info(session, user.profile_id)
    if info is None:
        return ProfileInfo(has_profile=False)
    return ProfileInfo(has_profile=True, resource_name=info[0], profile_name=info[1], username=info[2])


@router.get("/allowed-viewer-paths/", response_model=list[str])
async def read_viewer_paths(user: Verified, session: Session, include_shared_projects: bool = True) -> object:
    return [*user.project_dirs, *await users.zarr_dirs(session, user.id, only_owned=not include_shared_projects)]
