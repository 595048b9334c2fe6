"""`/admin/v2/`: everything of everybody, for superusers."""

from fastapi import APIRouter

from fractal_jobs.api.admin import jobs

router = APIRouter(prefix="/admin/v2", tags=["Admin area"])
for module in (jobs,):
    router.include_router(module.router)
