"""`/guest/`, `/access/`, `/invitation/`: projects shared with others.

An invitation is a link that is not verified: it is listed to both sides and gives no access before it is accepted.
"""

from fastapi import APIRouter, HTTPException
from fractal_common.database.models import ProjectMember
from pydantic import EmailStr

from fractal_jobs.api.access import PathId, known
from fractal_jobs.api.principals import Data, Guest, Principal, Writer
from fractal_jobs.api.responses import JsonArray, empty
from fractal_jobs.api.schemas.sharing import (
    ProjectAccessRead,
    ProjectGuestCreate,
    ProjectGuestRead,
    ProjectGuestUpdate,
    ProjectInvitationRead,
)
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.queries import sharing

router = APIRouter(prefix="/project")

NOT_OWNER = "Current user is not the project owner."


@router.get("/invitation/", response_model=list[ProjectInvitationRead])
async def list_invitations(principal: Guest, data: Data) -> object:
    """Guest accounts see none: an administrator accepts for them."""
    if principal.user.is_guest:
        return []
    async with data.readers.connect() as connection:
        return JsonArray(await sharing.invitations(connection, principal.id))


@router.get("/{project_id}/guest/", response_model=list[ProjectGuestRead])
async def list_guests(principal: Guest, data: Data, project_id: PathId) -> object:
    async with data.readers.connect() as connection:
        guests = await sharing.guests(connection, known(project_id), principal.id)
    if guests is None:
        raise HTTPException(403, NOT_OWNER)
    return guests


@router.post("/{project_id}/guest/", status_code=201)
async def invite_guest(
    principal: Writer, session: Session, project_id: PathId, email: EmailStr, body: ProjectGuestCreate
) -> object:
    await _check_owner(session, principal, project_id)
    if not await sharing.invite(session, project_id, await _user(session, email), body.permissions):
        raise HTTPException(422, "User is already associated to project.")
    return empty(201)


@router.patch("/{project_id}/guest/", status_code=200)
async def update_guest(
    principal: Writer, session: Session, project_id: PathId, email: EmailStr, body: ProjectGuestUpdate
) -> object:
    (await _guest(session, principal, project_id, email)).permissions = body.permissions
    return empty()


@router.delete("/{project_id}/guest/", status_code=204)
async def revoke_guest(principal: Writer, session: Session, project_id: PathId, email: EmailStr) -> None:
    await session.delete(await _guest(session, principal, project_id, email))


@router.get("/{project_id}/access/", response_model=ProjectAccessRead)
async def read_access(principal: Guest, session: Reading, project_id: PathId) -> object:
    found = await sharing.access(session, known(project_id), principal.id)
    if found is None:
        raise HTTPException(404, f"User has no access to project {project_id}.")
    return found


@router.post("/{project_id}/access/accept/", status_code=200)
async def accept_invitation(principal: Writer, session: Session, project_id: PathId) -> object:
    member = await _member(session, project_id, principal.id)
    if member.is_verified:
        raise HTTPException(404, "No pending invitation for user on this project.")
    member.is_verified = True
    return empty()


@router.delete("/{project_id}/access/", status_code=204)
async def leave_project(principal: Writer, session: Session, project_id: PathId) -> None:
    """Declines an invitation as well."""
    member = await _member(session, project_id, principal.id)
    if member.is_owner:
        raise HTTPException(422, f"You are the owner of project {project_id}.")
    await session.delete(member)


async def _check_owner(session: Session, principal: Principal, project_id: int) -> None:
    if not await sharing.is_owner(session, known(project_id), principal.id):
        raise HTTPException(403, NOT_OWNER)


async def _user(session: Session, email: str) -> int:
    user_id = await sharing.user_id(session, email)
    if user_id is None:
        raise HTTPException(404, "User not found.")
    return user_id


async def _member(session: Session, project_id: int, user_id: int) -> ProjectMember:
    member = await sharing.member(session, known(project_id), user_id)
    if member is None:
        raise HTTPException(404, "User is not linked to project.")
    return member


async def _guest(session: Session, principal: Principal, project_id: int, email: str) -> ProjectMember:
    """A member other than the owner, for the owner to change."""
    await _check_owner(session, principal, project_id)
    user_id = await _user(session, email)
    if user_id == principal.id:
        raise HTTPException(422, "Cannot perform this operation on project owner.")
    return await _member(session, project_id, user_id)
