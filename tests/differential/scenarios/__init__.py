"""Scripted sequences of requests, in an order in which the later may use what the earlier made."""

from collections.abc import Callable

from ..pair import Pair
from . import conventions, datasets, history, images, jobs, projects, workflows

SCENARIOS: dict[str, Callable[[Pair], None]] = {
    "conventions": conventions.run,
    "projects": projects.run,
    "datasets": datasets.run,
    "images": images.run,
    "workflows": workflows.run,
    "jobs": jobs.run,
    "history": history.run,
}
