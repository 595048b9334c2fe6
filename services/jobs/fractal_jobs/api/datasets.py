"""`/dataset/`: datasets, their export and import."""

from json import dumps

from fastapi import APIRouter, HTTPException
from fractal_common.database.models import Dataset, Project
from fractal_common.http.pagination import Page, Pagination
from pydantic import TypeAdapter

from fractal_jobs.api import access
from fractal_jobs.api.access import READ, WRITE, PathId
from fractal_jobs.api.principals import Guest, Principal, Writer
from fractal_jobs.api.responses import JsonArray, empty
from fractal_jobs.api.schemas.projects import (
    DatasetCreate,
    DatasetExport,
    DatasetImport,
    DatasetRead,
    DatasetReadExpanded,
    DatasetUpdate,
    ProjectRead,
    SingleImage,
)
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.domain.names import slug
from fractal_jobs.domain.paths import is_below, join
from fractal_jobs.queries import images, projects

router = APIRouter()
_image_list = TypeAdapter(list[SingleImage])


def _read(dataset: Dataset, project: Project) -> DatasetRead:
    return DatasetRead(
        id=dataset.id,
        name=dataset.name,
        project_id=dataset.project_id,
        project=ProjectRead.model_validate(project),
        timestamp_created=dataset.timestamp_created,
        zarr_dir=dataset.zarr_dir,
        is_starred=dataset.is_starred,
    )


@router.post("/project/{project_id}/dataset/", response_model=DatasetRead, status_code=201)
async def create_dataset(principal: Writer, session: Session, project_id: PathId, body: DatasetCreate) -> object:
    project, _ = await access.project(session, principal, project_id, WRITE)
    directories = principal.user.project_dirs
    if body.project_dir is not None and body.project_dir not in directories:
        raise HTTPException(403, f"You are not allowed to use dataset.project_dir='{body.project_dir}'.")
    dataset = Dataset(name=body.name, project_id=project.id, zarr_dir="", is_starred=False)
    session.add(dataset)
    await session.flush()
    subfolder = body.zarr_subfolder or (f"fractal/{project.id}_{slug(project.name)}/{dataset.id}_{slug(dataset.name)}")
    dataset.zarr_dir = join(body.project_dir or directories[0], subfolder)
    return _read(dataset, project)


@router.get("/project/{project_id}/dataset/", response_model=list[DatasetRead])
async def list_datasets(principal: Guest, session: Reading, project_id: PathId) -> object:
    project, _ = await access.project(session, principal, project_id, READ)
    return [_read(dataset, project) for dataset in await projects.datasets(session, project.id)]


@router.get("/project/{project_id}/dataset/{dataset_id}/", response_model=DatasetRead)
async def read_dataset(principal: Guest, session: Reading, project_id: PathId, dataset_id: PathId) -> object:
    project, dataset = await access.dataset(session, principal, project_id, dataset_id, READ)
    return _read(dataset, project)


@router.patch("/project/{project_id}/dataset/{dataset_id}/", response_model=DatasetRead)
async def update_dataset(
    principal: Writer, session: Session, project_id: PathId, dataset_id: PathId, body: DatasetUpdate
) -> object:
    project, dataset = await access.dataset(session, principal, project_id, dataset_id, WRITE)
    if "name" in body.model_fields_set:
        dataset.name = body.name
    return _read(dataset, project)


@router.delete("/project/{project_id}/dataset/{dataset_id}/", status_code=204)
async def delete_dataset(principal: Writer, session: Session, project_id: PathId, dataset_id: PathId) -> None:
    _, dataset = await access.dataset(session, principal, project_id, dataset_id, WRITE)
    await projects.lock(session, dataset)
    jobs = await projects.submitted_jobs(session, dataset_id=dataset.id)
    if jobs:
        ids = ", ".join(map(str, jobs))
        raise HTTPException(422, f"Cannot delete dataset {dataset.id} because it is linked to active job(s) {ids}.")
    await session.delete(dataset)


@router.post("/project/{project_id}/dataset/{dataset_id}/star/", status_code=200)
async def star_dataset(principal: Writer, session: Session, project_id: PathId, dataset_id: PathId) -> object:
    return await _star(principal, session, project_id, dataset_id, is_starred=True)


@router.post("/project/{project_id}/dataset/{dataset_id}/unstar/", status_code=200)
async def unstar_dataset(principal: Writer, session: Session, project_id: PathId, dataset_id: PathId) -> object:
    return await _star(principal, session, project_id, dataset_id, is_starred=False)


async def _star(
    principal: Principal, session: Session, project_id: int, dataset_id: int, *, is_starred: bool
) -> object:
    _, dataset = await access.dataset(session, principal, project_id, dataset_id, WRITE)
    dataset.is_starred = is_starred
    return empty()


@router.get("/project/{project_id}/dataset/{dataset_id}/export/", response_model=DatasetExport)
async def export_dataset(principal: Guest, session: Reading, project_id: PathId, dataset_id: PathId) -> object:
    _, dataset = await access.dataset(session, principal, project_id, dataset_id, READ)
    listed = await images.documents_of(await session.connection(), dataset.id)
    whole = dumps({"name": dataset.name, "zarr_dir": dataset.zarr_dir, "images": []})
    before, after = whole[:-2], whole[-2:]
    return JsonArray(listed, before=before, after=after)


@router.post("/project/{project_id}/dataset/import/", response_model=DatasetRead, status_code=201)
async def import_dataset(principal: Writer, session: Session, project_id: PathId, body: DatasetImport) -> object:
    project, _ = await access.project(session, principal, project_id, WRITE)
    if not any(is_below(body.zarr_dir, directory) for directory in principal.user.project_dirs):
        raise HTTPException(422, f"dataset.zarr_dir='{body.zarr_dir}' is not relative to any of user's project dirs.")
    dataset = Dataset(name=body.name, project_id=project.id, zarr_dir=body.zarr_dir, is_starred=False)
    session.add(dataset)
    await session.flush()
    await images.import_all(session, dataset.id, _image_list.dump_json(body.images).decode())
    return _read(dataset, project)


@router.get("/dataset/", response_model=Page[DatasetReadExpanded])
async def list_all_datasets(
    principal: Guest,
    session: Reading,
    pagination: Pagination,
    project_name: str | None = None,
    dataset_name: str | None = None,
    only_owned: bool = False,
) -> object:
    total, rows = await projects.datasets_page(
        session,
        principal.id,
        project_name=project_name,
        dataset_name=dataset_name,
        only_owned=only_owned,
        offset=pagination.offset,
        limit=pagination.page_size,
    )
    items = [
        DatasetReadExpanded(**dict(_read(dataset, project)), owner_email=owner, image_count=count)
        for dataset, project, owner, count in rows
    ]
    return Page(current_page=pagination.page, page_size=pagination.page_size or total, total_count=total, items=items)
