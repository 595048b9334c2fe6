"""`/admin/v2/`: everything of everybody, for superusers."""

from fractal_jobs.api.admin import accounting, jobs, lifecycle, projects, taskgroups, tasks

routers = tuple(module.router for module in (projects, jobs, tasks, taskgroups, lifecycle, accounting))
