"""`/admin/v2/project/` and `/admin/v2/linkuserproject/`: projects of everybody, and who is in them."""

from fastapi import APIRouter, HTTPException
from fractal_common.http.pagination import Page, Pagination

from fractal_jobs.api.access import PathId, known, known_if_given
from fractal_jobs.api.principals import Principal, Superuser
from fractal_jobs.api.responses import empty
from fractal_jobs.api.schemas.admin import LinkUserProjectRead, ProjectReadSuperuser
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.domain.paths import is_below
from fractal_jobs.queries import ownership, principals, projects, sharing

router = APIRouter()


@router.get("/project/", response_model=Page[ProjectReadSuperuser])
async def list_projects(
    pages: Pagination,
    principal: Superuser,
    session: Reading,
    project_id: int | None = None,
    name: str | None = None,
    user_email: str | None = None,
) -> object:
    total, rows = await ownership.projects(
        session,
        pages,
        project_id=known_if_given(project_id),
        name=name,
        user_email=user_email,
    )
    return Page[ProjectReadSuperuser].answer(pages, total, rows)


@router.patch("/project/{project_id}/", status_code=200)
async def transfer_project(principal: Superuser, session: Session, project_id: PathId, user_id: int) -> object:
    """Somebody else becomes the owner; who was it before loses all access."""
    found = await ownership.lock_owner(session, known(project_id))
    if found is None:
        raise HTTPException(404, f"Project {project_id} not found.")
    project, old_owner_id = found
    people = await principals.find(session, [old_owner_id, known(user_id)])
    if user_id not in people:
        raise HTTPException(404, f"User {user_id} not found.")
    old, new = Principal(*people[old_owner_id]), Principal(*people[user_id])
    _check_profile(new)
    if new.user.is_guest:
        raise HTTPException(422, "Cannot transfer ownership to a guest user.")
    if new.id == old.id:
        raise HTTPException(422, f"User {new.id} is already the owner of project {project.id}.")
    _check_profile(old)
    if await projects.owns_name(session, new.id, project.name):
        raise HTTPException(422, f"Project name ({project.name}) already in use")
    if old.resource is None or new.resource is None or old.resource.id != new.resource.id:
        names = [None if person.resource is None else person.resource.name for person in (old, new)]
        raise HTTPException(
            422, f"Users are associated to different computational resources ('{names[0]}' and '{names[1]}')."
        )
    for zarr_dir in await ownership.zarr_dirs(session, project.id):
        if not any(is_below(zarr_dir, project_dir) for project_dir in new.user.project_dirs):
            raise HTTPException(
                422,
                f"Cannot transfer project ownership because zarr_dir='{zarr_dir}' is not relative to one of "
                f"{new.user.email} project dirs. You can fix it by editing {new.user.email} project dirs.",
            )
    await ownership.transfer(session, project.id, old.id, new.id)
    return empty()


@router.get("/linkuserproject/", response_model=Page[LinkUserProjectRead])
async def list_members(
    pages: Pagination,
    principal: Superuser,
    session: Reading,
    user_id: int | None = None,
    project_id: int | None = None,
    project_name: str | None = None,
    is_owner: bool | None = None,
    is_verified: bool | None = None,
) -> object:
    total, rows = await ownership.members(
        session,
        pages,
        user_id=known_if_given(user_id),
        project_id=known_if_given(project_id),
        project_name=project_name,
        is_owner=is_owner,
        is_verified=is_verified,
    )
    return Page[LinkUserProjectRead].answer(pages, total, rows)


@router.post("/linkuserproject/verify/", status_code=200)
async def verify_guest(principal: Superuser, session: Session, guest_user_id: int, project_id: int) -> object:
    """Accept an invitation for a guest account, which cannot do so by itself."""
    people = await principals.find(session, [known(guest_user_id)])
    if guest_user_id not in people:
        raise HTTPException(404, f"User {guest_user_id} not found.")
    if not people[guest_user_id][0].is_guest:
        raise HTTPException(422, "Cannot accept invitations for non-guest users.")
    member = await sharing.member(session, known(project_id), guest_user_id)
    if member is None:
        raise HTTPException(404, "User is not linked to project.")
    if member.is_verified:
        raise HTTPException(404, "No pending invitation for user on this project.")
    if member.permissions != "r":
        raise HTTPException(422, f"Guest users can only have 'r' permission (given: '{member.permissions}')")
    member.is_verified = True
    return empty()


def _check_profile(person: Principal) -> None:
    if person.profile is None:
        raise HTTPException(
            422, f"User {person.user.email} is not associated to a computational profile. Please contact an admin."
        )
