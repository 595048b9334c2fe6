"""`/project/`: projects."""

from fastapi import APIRouter, HTTPException
from fractal_common.database.models import Project, ProjectMember

from fractal_jobs.api import access
from fractal_jobs.api.access import EXECUTE, READ, WRITE, PathId
from fractal_jobs.api.principals import Data, Guest, Writer
from fractal_jobs.api.profiles import validated
from fractal_jobs.api.responses import JsonArray, empty
from fractal_jobs.api.schemas.projects import ProjectCreate, ProjectRead, ProjectUpdate
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.queries import projects

router = APIRouter()


@router.get("/project/", response_model=list[ProjectRead])
async def list_projects(principal: Guest, data: Data, is_owner: bool = True) -> object:
    async with data.readers.connect() as connection:
        return JsonArray(await projects.list_of(connection, principal.id, is_owner=is_owner))


@router.post("/project/", response_model=ProjectRead, status_code=201)
async def create_project(principal: Writer, session: Session, body: ProjectCreate) -> object:
    resource, _ = validated(principal)
    if await projects.owns_name(session, principal.id, body.name):
        raise HTTPException(422, f"Project name ({body.name}) already in use")
    project = Project(name=body.name, description=body.description, resource_id=resource.id, is_starred=False)
    session.add(project)
    await session.flush()
    session.add(
        ProjectMember(project_id=project.id, user_id=principal.id, is_owner=True, is_verified=True, permissions="rwx")
    )
    return project


@router.get("/project/{project_id}/", response_model=ProjectRead)
async def read_project(principal: Guest, session: Reading, project_id: PathId) -> object:
    return (await access.project(session, principal, project_id, READ))[0]


@router.patch("/project/{project_id}/", response_model=ProjectRead)
async def update_project(principal: Writer, session: Session, project_id: PathId, body: ProjectUpdate) -> object:
    project, _ = await access.project(session, principal, project_id, WRITE)
    changes = body.model_dump(exclude_unset=True)
    name = changes.get("name", project.name)
    if name != project.name and await projects.owns_name(session, principal.id, name):
        raise HTTPException(422, f"Project name ({name}) already in use")
    for field, value in changes.items():
        setattr(project, field, value)
    return project


@router.delete("/project/{project_id}/", status_code=204)
async def delete_project(principal: Writer, session: Session, project_id: PathId) -> None:
    project, member = await access.project(session, principal, project_id, EXECUTE)
    if not member.is_owner:
        raise HTTPException(403, "Only the owner can delete a Project.")
    await projects.lock(session, project)
    jobs = await projects.submitted_jobs(session, project_id=project.id)
    if jobs:
        ids = ", ".join(map(str, jobs))
        raise HTTPException(422, f"Cannot delete project {project.id} because it is linked to active job(s) {ids}.")
    await session.delete(project)


@router.post("/project/{project_id}/star/", status_code=200)
async def star_project(principal: Writer, session: Session, project_id: PathId) -> object:
    return await _star(principal, session, project_id, is_starred=True)


@router.post("/project/{project_id}/unstar/", status_code=200)
async def unstar_project(principal: Writer, session: Session, project_id: PathId) -> object:
    return await _star(principal, session, project_id, is_starred=False)


async def _star(principal: Writer, session: Session, project_id: int, *, is_starred: bool) -> object:
    project, _ = await access.project(session, principal, project_id, WRITE)
    project.is_starred = is_starred
    return empty()
