"""`/admin/v2/accounting/`: what was run for whom."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from fractal_common.http.pagination import Page, Pagination

from fractal_jobs.api.access import known_if_given
from fractal_jobs.api.principals import Superuser
from fractal_jobs.api.schemas.admin import AccountingQuery, AccountingQuerySlurm, AccountingRecordRead
from fractal_jobs.api.transactions import Reading
from fractal_jobs.queries import accounting

router = APIRouter(prefix="/accounting")


@router.post("/", response_model=Page[AccountingRecordRead])
async def query_accounting(pages: Pagination, principal: Superuser, session: Reading, body: AccountingQuery) -> object:
    """`fractal_job_id` is accepted for the sake of clients; these records do not know their job."""
    total, rows = await accounting.records(
        session, pages, user_id=known_if_given(body.user_id), earliest=body.timestamp_min, latest=body.timestamp_max
    )
    return Page[AccountingRecordRead].answer(pages, total, rows)


@router.post("/slurm/")
async def query_slurm_accounting(principal: Superuser, session: Reading, body: AccountingQuerySlurm) -> object:
    """Ids of SLURM jobs, in one list."""
    found = await accounting.slurm_job_ids(
        session,
        user_id=known_if_given(body.user_id),
        earliest=body.timestamp_min,
        latest=body.timestamp_max,
        fractal_job_id=known_if_given(body.fractal_job_id),
        resource_id=known_if_given(body.resource_id),
    )
    return JSONResponse(list(found))
