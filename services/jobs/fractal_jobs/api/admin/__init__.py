"""`/admin/v2/`: everything of everybody, for superusers."""

from fastapi import APIRouter

from fractal_jobs.api.admin import accounting, jobs, lifecycle, projects, taskgroups, tasks

router = APIRouter(prefix="/admin/v2", tags=["Admin area"])
for module in (projects, jobs, tasks, taskgroups, lifecycle, accounting):
    router.include_router(module.router)
