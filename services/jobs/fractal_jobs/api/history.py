"""`/status/`: history of a workflow task on a dataset, and logs of its units."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from fractal_common.bus import BusError
from fractal_common.database.models import Dataset, HistoryRun, HistoryUnit, Project, WorkflowTask
from fractal_common.http.pagination import Page, Pagination
from fractal_common.types import RunStatus, Scalar

from fractal_jobs.api import access
from fractal_jobs.api.access import READ, PathId, known
from fractal_jobs.api.agents import Agents, agents
from fractal_jobs.api.principals import Data, Guest, Principal
from fractal_jobs.api.schemas.jobs import (
    HistoryRunRead,
    HistoryUnitRead,
    ImageLogRequest,
    ImageWithStatus,
    StatusPage,
)
from fractal_jobs.api.schemas.projects import ImageFilters
from fractal_jobs.api.transactions import Reading, Session
from fractal_jobs.domain.images import STATUS_ATTRIBUTE
from fractal_jobs.queries import history, images, imagestatus, imagesummaries, scheduler
from fractal_jobs.queries.workflows import task_name

router = APIRouter(prefix="/project/{project_id}/status")

Cluster = Annotated[Agents, Depends(agents)]
ALL_STATUSES: list[Scalar] = ["done", "submitted", "failed", "unset"]


async def _check(
    session: Session, principal: Principal, project_id: int, dataset_id: int, workflowtask_id: int
) -> tuple[Project, Dataset, WorkflowTask]:
    """The workflow task is looked up before anybody is authorised, as clients see it elsewhere."""
    workflow_task = await history.workflow_task(session, known(workflowtask_id))
    if workflow_task is None:
        raise HTTPException(404, f"WorkflowTask {workflowtask_id} not found.")
    project, _ = await access.project(session, principal, project_id, READ)
    workflow = await history.workflow(session, workflow_task.workflow_id)
    if workflow is None:
        raise HTTPException(404, f"Workflow {workflow_task.workflow_id} not found.")
    if workflow.project_id != project.id:
        raise HTTPException(422, "Workflow does not belong to expected project.")
    dataset = await history.dataset(session, known(dataset_id))
    if dataset is None:
        raise HTTPException(404, f"Dataset {dataset_id} not found.")
    if dataset.project_id != project.id:
        raise HTTPException(422, "Dataset does not belong to expected project.")
    return project, dataset, workflow_task


async def _run(session: Session, run_id: int, dataset_id: int, workflowtask_id: int) -> HistoryRun:
    run = await history.run(session, known(run_id))
    if run is None:
        raise HTTPException(404, f"HistoryRun {run_id} not found")
    if run.dataset_id != dataset_id or run.workflowtask_id != workflowtask_id:
        raise HTTPException(
            422,
            f"Invalid query parameters: HistoryRun[{run_id}] is not related to {dataset_id=} and {workflowtask_id=}.",
        )
    return run


@router.get("/run/", response_model=list[HistoryRunRead])
async def list_runs(
    principal: Guest, session: Reading, project_id: PathId, dataset_id: int, workflowtask_id: int
) -> object:
    await _check(session, principal, project_id, dataset_id, workflowtask_id)
    return [HistoryRunRead.model_validate(row) for row in await history.runs(session, dataset_id, workflowtask_id)]


@router.get("/run/{history_run_id}/units/", response_model=Page[HistoryUnitRead])
async def list_units(
    principal: Guest,
    pagination: Pagination,
    session: Reading,
    project_id: PathId,
    history_run_id: PathId,
    dataset_id: int,
    workflowtask_id: int,
    unit_status: RunStatus | None = None,
) -> object:
    await _check(session, principal, project_id, dataset_id, workflowtask_id)
    run = await _run(session, history_run_id, dataset_id, workflowtask_id)
    total, rows = await history.units(
        session, run.id, status=unit_status, offset=pagination.offset, limit=pagination.page_size
    )
    return Page[HistoryUnitRead].answer(pagination, total, rows)


@router.post("/images/", response_model=StatusPage)
async def list_images(
    principal: Guest,
    pagination: Pagination,
    session: Reading,
    data: Data,
    project_id: PathId,
    body: ImageFilters,
    dataset_id: int,
    workflowtask_id: int,
    include_warnings: bool = False,
) -> object:
    await _check(session, principal, project_id, dataset_id, workflowtask_id)
    summary = await imagesummaries.summary(session, data, dataset_id)
    total, rows = await imagestatus.page(
        session,
        dataset_id,
        workflowtask_id,
        images.Filters(body.type_filters, body.attribute_filters),
        summary,
        offset=pagination.offset,
        limit=pagination.page_size,
    )
    items = [
        ImageWithStatus.model_construct(
            zarr_url=image.zarr_url,
            origin=image.origin,
            attributes={**image.attributes, STATUS_ATTRIBUTE: status},
            types=dict(image.types),
            has_warnings=bool(warned) if include_warnings else None,
        )
        for image, status, warned in rows
    ]
    return StatusPage(
        current_page=pagination.page,
        page_size=pagination.page_size or total,
        total_count=total,
        items=items,
        attributes={**summary.attributes, STATUS_ATTRIBUTE: ALL_STATUSES},
        types=summary.type_names,
    )


@router.post("/image-log/", response_model=str)
async def read_image_log(
    principal: Guest, session: Reading, project_id: PathId, body: ImageLogRequest, cluster: Cluster
) -> object:
    project, dataset, workflow_task = await _check(
        session, principal, project_id, body.dataset_id, body.workflowtask_id
    )
    found = await history.latest_unit_of_image(session, dataset.id, workflow_task.id, body.zarr_url)
    if found is None:
        raise HTTPException(404, "HistoryImageCache not found")
    return await _log(session, cluster, project, dataset, workflow_task, found)


@router.get("/unit-log/", response_model=str)
async def read_unit_log(
    principal: Guest,
    session: Reading,
    project_id: PathId,
    history_run_id: int,
    history_unit_id: int,
    workflowtask_id: int,
    dataset_id: int,
    cluster: Cluster,
) -> object:
    project, dataset, workflow_task = await _check(session, principal, project_id, dataset_id, workflowtask_id)
    unit = await history.unit(session, known(history_unit_id))
    if unit is None:
        raise HTTPException(404, f"HistoryUnit {history_unit_id} not found")
    if unit.history_run_id != history_run_id:
        raise HTTPException(
            422,
            f"Invalid query parameters: HistoryUnit[{history_unit_id}] is not related to HistoryRun[{history_run_id}]",
        )
    await _run(session, history_run_id, dataset_id, workflowtask_id)
    return await _log(session, cluster, project, dataset, workflow_task, unit)


async def _log(
    session: Session,
    cluster: Agents,
    project: Project,
    dataset: Dataset,
    workflow_task: WorkflowTask,
    unit: HistoryUnit,
) -> str:
    """Live while the unit runs; a text instead of an error when there is nothing to show.

    A process that the scheduler ended could not say why: its log ends with the scheduler's words.
    """
    name = await task_name(session, workflow_task.id)
    folder = await history.job_folder(session, unit.history_run_id)
    why = await scheduler.why_without_result(session, unit.id) if unit.status == "failed" else None
    missing = why or f"Logs for task '{name}' in dataset {dataset.id} are not available."
    if folder is None:
        return missing
    try:
        log = await cluster.read_log(project.resource_id, unit.logfile, folder)
    except (BusError, ValueError):
        return why or f"Error while retrieving logs for task '{name}' in dataset {dataset.id}."
    return missing if log is None else f"{log}\n{why}" if why else log
