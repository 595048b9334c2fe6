"""Scripted sequences of requests, in an order in which the later may use what the earlier made."""

from collections.abc import Callable

from ..pair import Pair
from . import (
    accounts,
    admin,
    conventions,
    datasets,
    elsewhere,
    everywhere,
    history,
    images,
    jobs,
    packages,
    projects,
    reruns,
    resources,
    sharing,
    tasks,
    templates,
    versions,
    workflows,
)

SCENARIOS: dict[str, Callable[[Pair], None]] = {
    "conventions": conventions.run,
    "everywhere": everywhere.run,
    "projects": projects.run,
    "datasets": datasets.run,
    "images": images.run,
    "sharing": sharing.run,
    "tasks": tasks.run,
    "packages": packages.run,
    "workflows": workflows.run,
    "templates": templates.run,
    "versions": versions.run,
    "jobs": jobs.run,
    "reruns": reruns.run,
    "history": history.run,
    "admin": admin.run,
    "accounts": accounts.run,
    "elsewhere": elsewhere.run,
    "resources": resources.run,
}
