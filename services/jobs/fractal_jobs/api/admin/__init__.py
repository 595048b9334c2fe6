"""`/admin/v2/`: everything of everybody, for superusers."""

from fastapi import APIRouter

from fractal_jobs.api.admin import accounting, jobs, projects, tasks

router = APIRouter(prefix="/admin/v2", tags=["Admin area"])
for module in (projects, jobs, tasks, accounting):
    router.include_router(module.router)
