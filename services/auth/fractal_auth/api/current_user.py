"""`/auth/current-user/`."""

from fastapi import APIRouter, HTTPException, Response
from pydantic_core import to_json

from fractal_auth.api.dependencies import Active, Session, Verified, changed
from fractal_auth.api.reading import read_user
from fractal_auth.api.schemas import UserProfileInfo, UserRead, UserUpdateStrict
from fractal_auth.queries import users

router = APIRouter(prefix="/current-user")


@router.get("/", response_model=UserRead)
async def get_current_user(user: Active, session: Session, group_ids_names: bool = False) -> object:
    return await read_user(session, user, with_groups=group_ids_names)


@router.patch("/", response_model=UserRead)
async def patch_current_user(user: Active, session: Session, body: UserUpdateStrict) -> object:
    if user.is_guest:
        raise HTTPException(403, "This feature is not available for guest users.")
    if "slurm_accounts" in body.model_fields_set:
        user.slurm_accounts = body.slurm_accounts
        await session.flush()
        changed(session, user.id)
    return await read_user(session, user, with_groups=True)


@router.get("/profile-info/", response_model=UserProfileInfo)
async def get_current_user_profile_info(user: Active, session: Session) -> object:
    info = await users.profile_info(session, user.profile_id)
    if info is None:
        return UserProfileInfo(has_profile=False)
    return UserProfileInfo(has_profile=True, resource_name=info[0], profile_name=info[1], username=info[2])


@router.get("/allowed-viewer-paths/", response_model=list[str])
async def get_current_user_allowed_viewer_paths(
    user: Verified, session: Session, include_shared_projects: bool = True
) -> object:
    """One statement beside the look at who is asking: the list may be long, and viewers ask for it often."""
    zarr_dirs = await users.zarr_dirs(session, user.id) if include_shared_projects else []
    return Response(to_json([*user.project_dirs, *zarr_dirs]), media_type="application/json")
