"""Questions that clients ask before they submit: are the selected images of one kind, were they processed."""

from fastapi import APIRouter
from fractal_common.types import TaskType

from fractal_jobs.api import access
from fractal_jobs.api.access import READ, PathId, known
from fractal_jobs.api.principals import Guest
from fractal_jobs.api.schemas.projects import ImageFilters
from fractal_jobs.api.transactions import Reading
from fractal_jobs.queries import imagestatus, workflows
from fractal_jobs.queries.images import Filters

router = APIRouter(prefix="/project/{project_id}/dataset/{dataset_id}/images")


@router.post("/verify-unique-types/", response_model=list[str])
async def verify_unique_types(
    principal: Guest,
    session: Reading,
    project_id: PathId,
    dataset_id: PathId,
    workflowtask_id: int,
    body: ImageFilters | None = None,
) -> object:
    """Types that some of the images have and others do not; a missing type counts as false."""
    _, dataset = await access.dataset(session, principal, project_id, dataset_id, READ)
    query = body or ImageFilters()
    filters = Filters(query.type_filters, query.attribute_filters)
    found = await imagestatus.type_combinations(session, dataset.id, known(workflowtask_id), filters)
    names = {name for types in found for name in types}
    return sorted(name for name in names if len({types.get(name, False) for types in found}) > 1)


@router.post("/non-processed/", response_model=list[str])
async def list_non_processed(
    principal: Guest,
    session: Reading,
    project_id: PathId,
    dataset_id: PathId,
    body: ImageFilters,
    workflow_id: int,
    workflowtask_id: int,
) -> object:
    """Selected images that the previous task of the workflow has not finished."""
    _, workflow_task = await access.workflow_task(session, principal, project_id, workflow_id, workflowtask_id, READ)
    previous = await workflows.before(session, workflow_task)
    if previous is None or previous[1].output_types or TaskType(previous[0].task_type).is_converter:
        return []
    _, dataset = await access.dataset(session, principal, project_id, dataset_id, READ)
    filters = Filters(body.type_filters, body.attribute_filters)
    return await imagestatus.unfinished(session, dataset.id, previous[0].id, filters)
