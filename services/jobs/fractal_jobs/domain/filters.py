"""How type filters combine, and how they change along a workflow."""

from fractal_jobs.domain.errors import FilterConflict
from fractal_jobs.domain.images import Types


def merge_type_filters(task: Types, workflow_task: Types) -> dict[str, bool]:
    """Union of a task's input types and its workflow task's filters.

    Raises:
        FilterConflict: a key has different values in the two.
    """
    if any(key in task and task[key] != value for key, value in workflow_task.items()):
        raise FilterConflict(
            f"Cannot merge type filters `{dict(task)}` (from task) and `{dict(workflow_task)}` (from workflowtask)."
        )
    return {**task, **workflow_task}


def effective_types(current: Types, task: Types, workflow_task: Types) -> dict[str, bool]:
    """Filters for one task: those of the task win over the job's current ones, and are not kept for later tasks."""
    return {**current, **merge_type_filters(task, workflow_task)}


def next_types(current: Types, output_types: Types) -> dict[str, bool]:
    """Current filters after a task: only what its manifest promises counts, not what its processes reported."""
    return {**current, **output_types}
