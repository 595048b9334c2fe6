"""`/images/`: a dataset's image list."""

from fastapi import APIRouter, HTTPException
from fractal_common.http.pagination import Pagination

from fractal_jobs.api import access
from fractal_jobs.api.access import READ, WRITE, PathId
from fractal_jobs.api.principals import Data, Guest, Writer
from fractal_jobs.api.responses import empty
from fractal_jobs.api.schemas.projects import ImagePage, ImageQuery, SingleImage, SingleImageUpdate
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.domain.images import Image
from fractal_jobs.queries import images, imagesummaries

router = APIRouter(prefix="/project/{project_id}/dataset/{dataset_id}/images")


def read(image: Image) -> SingleImage:
    """Stored images were validated when they were written."""
    return SingleImage.model_construct(
        zarr_url=image.zarr_url, origin=image.origin, attributes=dict(image.attributes), types=dict(image.types)
    )


@router.post("/", status_code=201)
async def add_image(
    principal: Writer, session: Session, project_id: PathId, dataset_id: PathId, body: SingleImage
) -> object:
    _, dataset = await access.dataset(session, principal, project_id, dataset_id, WRITE)
    if not body.zarr_url.startswith(dataset.zarr_dir):
        raise HTTPException(422, f"Cannot create image with zarr_url which is not relative to {dataset.zarr_dir}.")
    if body.zarr_url == dataset.zarr_dir:
        raise HTTPException(422, f"`SingleImage.zarr_url` cannot be equal to `Dataset.zarr_dir`: {dataset.zarr_dir}")
    image = Image(body.zarr_url, body.origin, body.attributes, body.types)
    if not await images.append(session, dataset.id, image):
        raise HTTPException(422, [f"Image with zarr_url '{body.zarr_url}' already in DatasetV2 {dataset.id}"])
    return empty(201)


@router.patch("/", response_model=SingleImage)
async def update_image(
    principal: Writer, session: Session, project_id: PathId, dataset_id: PathId, body: SingleImageUpdate
) -> object:
    _, dataset = await access.dataset(session, principal, project_id, dataset_id, WRITE)
    values = body.model_dump(exclude_unset=True, exclude={"zarr_url"})
    changes = {name: value for name, value in values.items() if value is not None}
    image = await images.change(session, dataset.id, body.zarr_url, changes)
    if image is None:
        raise HTTPException(404, f"No image with zarr_url '{body.zarr_url}' in DatasetV2 {dataset.id}.")
    return read(image)


@router.delete("/", status_code=204)
async def delete_image(
    principal: Writer, session: Session, project_id: PathId, dataset_id: PathId, zarr_url: str
) -> None:
    _, dataset = await access.dataset(session, principal, project_id, dataset_id, WRITE)
    if not await images.delete_one(session, dataset.id, zarr_url):
        raise HTTPException(404, f"No image with zarr_url '{zarr_url}' in DatasetV2 {dataset.id}.")


@router.post("/query/", response_model=ImagePage)
async def query_images(
    pagination: Pagination,
    principal: Guest,
    session: Reading,
    data: Data,
    project_id: PathId,
    dataset_id: PathId,
    body: ImageQuery | None = None,
) -> object:
    _, dataset = await access.dataset(session, principal, project_id, dataset_id, READ)
    query = body or ImageQuery()
    filters = images.Filters(query.type_filters, query.attribute_filters, query.zarr_url)
    summary = await imagesummaries.summary(session, data, dataset.id)
    total, page, rows = await images.page(
        session, dataset.id, filters, summary, page=pagination.page, page_size=pagination.page_size
    )
    return ImagePage(
        current_page=page,
        page_size=pagination.page_size or total,
        total_count=total,
        items=[read(row) for row in rows],
        attributes=summary.attributes,
        types=summary.type_names,
    )
