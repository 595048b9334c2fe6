"""Closing a part of a task when its last result is in: the compute part of a compound task, or the task's end."""

import traceback
from dataclasses import dataclass
from typing import Any

from fractal_common.types import TaskType

from fractal_jobs.domain import causes, filters, images, joblog, merging
from fractal_jobs.domain.errors import InvalidOutput, MergeError, NonUniqueUrls, PlanError
from fractal_jobs.domain.outputs import deduplicate, parse_init_output, parse_task_output
from fractal_jobs.domain.planning import NON_PARALLEL, ONE_PROCESS, PARALLEL, check_size, plan_compute
from fractal_jobs.domain.states import JobState
from fractal_jobs.engine.launching import launch
from fractal_jobs.engine.packing import pack
from fractal_jobs.engine.progress import Progress
from fractal_jobs.queries import executions, units
from fractal_jobs.queries import images as image_queries

FOLDER_ERROR = "FOLDER_ERROR"
BOTH = [NON_PARALLEL, PARALLEL]


@dataclass(frozen=True)
class Result:
    """What one unit did."""

    part: str
    index: int
    zarr_urls: list[str]
    succeeded: bool
    output: Any


async def close_part(progress: Progress) -> None:
    """All batches of the run have all their results."""
    session, run_id = progress.session, _run_id(progress)
    batches = await executions.batches(session, run_id)
    results = [Result(*row) for row in await units.results(session, run_id)]
    refused = next((batch for batch in batches if batch.cause == FOLDER_ERROR), None)
    if refused is not None:
        await executions.set_run_status(session, run_id, "failed")
        await progress.fail(await units.first_error(session, run_id, BOTH) or FOLDER_ERROR)
        return
    if progress.task.type.is_compound and all(batch.part == NON_PARALLEL for batch in batches):
        await _close_init(progress, results[0])
    else:
        await _close_task(progress, results)


async def _close_init(progress: Progress, init: Result) -> None:
    """Plan the compute part from what the init process returned."""
    session, run_id, task = progress.session, _run_id(progress), progress.task
    if not init.succeeded:
        await _end(progress, 1, await units.first_error(session, run_id, BOTH))
        return
    try:
        items = deduplicate(parse_init_output(init.output).parallelization_list)
        check_size(len(items))
        wave = plan_compute(task, items, await pack(progress, PARALLEL, len(items)) if items else ONE_PROCESS)
    except (InvalidOutput, PlanError) as error:
        await units.set_all(session, run_id, "failed")
        await _end(progress, 1 if isinstance(error, InvalidOutput) else 0, str(error))
        return
    if wave.units:
        if wave.packing.slurm:
            progress.job.executor_error_log = None
        await launch(progress, wave)
    else:
        await units.set_all(session, run_id, "done")
        await _end(progress, 1, None)


async def _close_task(progress: Progress, results: list[Result]) -> None:
    """Merge the outputs of the processes that succeeded, also when others failed."""
    session, run_id, task = progress.session, _run_id(progress), progress.task
    working = [result for result in results if result.part == PARALLEL or not task.type.is_compound]
    good = [result for result in working if result.succeeded]
    parts = [PARALLEL] if task.type.is_compound else BOTH
    error = await units.first_error(session, run_id, parts) if len(good) < len(working) else None
    if task.type.is_compound:
        await units.set_all(session, run_id, "done" if error is None else "failed")
    created = 0
    if good:
        # A parallel unit speaks for its own image, any other for all images of the task.
        speakers = good if task.type is TaskType.PARALLEL else [r for r in results if r.part == NON_PARALLEL]
        inputs = [url for result in speakers for url in result.zarr_urls]
        try:
            created = await _merge(progress, good, inputs)
        except MergeError as problem:
            await units.set_all(session, run_id, "failed")
            await executions.set_run_status(session, run_id, "failed")
            if isinstance(problem, NonUniqueUrls):
                text = "".join(traceback.format_exception_only(problem))
                await progress.fail(joblog.unknown_error(progress.job.id, text), anticipated=False)
            else:
                await progress.fail(joblog.job_error(progress.job.id, str(problem)))
            return
    await _end(progress, len(results), error, created)


async def _merge(progress: Progress, good: list[Result], inputs: list[str]) -> int:
    """Write the changes of the image list; returns how many images are new."""
    session, task, dataset = progress.session, progress.task, progress.dataset
    merged = merging.merge_outputs(parse_task_output(result.output) for result in good)
    is_silent = not (merged.image_list_updates or merged.image_list_removals)
    merged = merging.with_unspoken(merged, inputs)
    known = await image_queries.load_for_update(session, dataset.id, merging.needed_urls(merged))
    if is_silent:
        # An input image that somebody removed meanwhile is not made again.
        updates = [update for update in merged.image_list_updates if update.zarr_url in known]
        merged = merged.model_copy(update={"image_list_updates": updates})
    statuses = progress.image_statuses
    known = {url: images.with_status(image, statuses) for url, image in known.items()}
    changes = merging.apply(merged, known, zarr_dir=dataset.zarr_dir, output_types=task.output_types)
    changed = [*changes.edited, *changes.created]
    if statuses is not None:
        # An image made from one that the status filter lets pass, passes as well.
        inherited = {image.zarr_url: image.attributes.get(images.STATUS_ATTRIBUTE) for image in changed}
        progress.image_statuses = {url: status for url, status in {**statuses, **inherited}.items() if status}
        changed = [images.without_status(image) for image in changed]
    await image_queries.write(session, dataset.id, changed)
    await image_queries.remove(session, dataset.id, changes.removed)
    await executions.forget_images(session, dataset.id, task.workflowtask_id, changes.removed)
    return len(changes.created)


async def _end(progress: Progress, num_tasks: int, error: str | None, num_new_images: int = 0) -> None:
    """The run's status, the accounting row, and the job's next state."""
    session, execution, task = progress.session, progress.execution, progress.task
    group = await executions.task_group(session, task.task_id)
    label = joblog.task_label(task.alias, task.name, group.pkg_name if group else "?", group.version if group else None)
    await executions.account(session, execution.user_id, num_tasks, num_new_images)
    await executions.set_run_status(session, _run_id(progress), "done" if error is None else "failed")
    if error is not None:
        progress.write("WARNING", f"END    {label} - ERROR.")
        failures = await units.failures(session, _run_id(progress))
        total = await units.total(session, _run_id(progress))
        why = causes.summary(failures, total) if failures else None
        await progress.fail(joblog.task_failure(progress.job.id, error, why))
        return
    progress.write("DEBUG", f"END    {label}")
    execution.current_types = filters.next_types(execution.current_types, task.output_types)
    execution.position += 1
    execution.run_id = None
    progress.move(JobState.READY)


def _run_id(progress: Progress) -> int:
    assert progress.execution.run_id is not None, "a running job has a run"
    return progress.execution.run_id
