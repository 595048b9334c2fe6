"""Starting a job, and each of its tasks."""

import traceback
from typing import Any

from fractal_common.database.models import Resource, Task, TaskGroup, WorkflowTask
from fractal_common.types import ResourceType, TaskType

from fractal_jobs.domain import filters, images, joblog, names
from fractal_jobs.domain.errors import AccountLineError, ExecutionError, PlanError
from fractal_jobs.domain.outputs import InitTaskOutput, as_json, deduplicate, parse_init_output
from fractal_jobs.domain.planning import (
    NON_PARALLEL,
    PARALLEL,
    TaskSnapshot,
    Wave,
    check_size,
    plan_compute,
    plan_parallel,
    plan_single,
)
from fractal_jobs.domain.slurm_config import check_worker_init
from fractal_jobs.domain.states import JobState
from fractal_jobs.engine.launching import launch
from fractal_jobs.engine.packing import pack
from fractal_jobs.engine.progress import Progress
from fractal_jobs.queries import events, executions, units
from fractal_jobs.queries import images as image_queries


async def begin(progress: Progress) -> None:
    """Take the snapshot that the whole job uses, and write the first lines of its log."""
    session, execution, job = progress.session, progress.execution, progress.job
    assert job.workflow_id is not None, "the caller has fetched the workflow"
    rows = await executions.workflow_tasks(session, job.workflow_id)
    selected = rows[job.first_task_index : job.last_task_index + 1]
    execution.snapshot = {
        **(execution.snapshot or {}),
        "tasks": [_snapshot(row, task).model_dump(mode="json") for row, task in selected],
    }
    execution.current_types = dict(job.type_filters)
    wanted = job.attribute_filters.get(images.STATUS_ATTRIBUTE)
    if wanted is not None and progress.image_statuses is None:
        progress.image_statuses = await _statuses(progress, wanted)
    resource = await progress.resource()
    profile = await progress.profile()
    is_slurm = resource is not None and resource.type != ResourceType.LOCAL
    facts: dict[str, object] = {
        "Resource name": resource.name if resource else None,
        "Profile name": profile.name if profile else None,
        "Username": profile.username if profile else None,
        **({"slurm_account": job.slurm_account, "worker_init": job.worker_init} if is_slurm else {}),
        "job.id": job.id,
        "job.working_dir": job.working_dir,
        "job.working_dir_user": job.working_dir_user,
        "job.first_task_index": job.first_task_index,
        "job.last_task_index": job.last_task_index,
    }
    if execution.retry_of is not None:
        facts["Retry of job"] = execution.retry_of
    for level, text in joblog.header(progress.workflow_name, progress.working_dir, facts):
        progress.write(level, text)
    if is_slurm and job.worker_init:
        try:
            check_worker_init(job.worker_init)
        except AccountLineError as error:
            text = "".join(traceback.format_exception_only(error))
            await progress.fail(joblog.unknown_error(job.id, text), anticipated=False)
            return
    progress.move(JobState.READY)


async def _statuses(progress: Progress, wanted: list[str]) -> dict[str, str]:
    """Of images that match; a converter has no images, and so nothing passes after one."""
    first = progress.tasks[0]
    if first.type.is_converter:
        return {}
    found = await units.image_statuses(progress.session, progress.dataset.id, first.workflowtask_id)
    return {url: status for url, status in found.items() if status in wanted}


async def start_task(progress: Progress) -> None:
    """Open the history run, choose the images, plan the processes, and put the batch into the outbox."""
    session, execution, job = progress.session, progress.execution, progress.job
    task = progress.task
    row, group, workflowtask_id = await executions.task_now(session, task.task_id, task.workflowtask_id)
    resource = await progress.resource()
    assert resource is not None, "resources in use cannot be deleted"
    label = joblog.task_label(task.alias, task.name, group.pkg_name if group else "?", group.version if group else None)
    progress.write("DEBUG", f"SUBMIT {task.order}-th task {label}")
    types: dict[str, bool] = {}
    available: list[images.Image] = []
    if not task.type.is_converter:
        types = filters.effective_types(execution.current_types, task.input_types, task.type_filters)
        available = images.select(await image_queries.load(session, progress.dataset.id), types, {})
    candidates = [images.with_status(image, progress.image_statuses) for image in available]
    urls = [image.zarr_url for image in images.select(candidates, {}, job.attribute_filters)]
    run_id = execution.run_id = await executions.add_run(
        session,
        {
            "dataset_id": progress.dataset.id,
            "workflowtask_id": workflowtask_id,
            "job_id": job.id,
            "task_id": task.task_id,
            "workflowtask_dump": _workflowtask_dump(task, job.workflow_id, row),
            "task_group_dump": _task_group_dump(group),
            "status": "submitted",
            "num_available_images": len(available),
        },
    )
    await events.tell(
        session,
        job.id,
        "run",
        {"run_id": run_id, "workflowtask_id": task.workflowtask_id, "task": task.name, "status": "submitted"},
    )
    job.executor_error_log = None
    try:
        _check_startable(task, resource, urls, types, job.attribute_filters)
        wave = await _retry(progress, urls) or await _plan(progress, urls)
    except ExecutionError as error:
        if isinstance(error, PlanError):
            await executions.account(session, execution.user_id, 0, 0)
        await executions.set_run_status(session, run_id, "failed")
        progress.write("WARNING", f"END    {label} - ERROR.")
        failure = joblog.task_failure(job.id, str(error)) if isinstance(error, PlanError) else None
        await progress.fail(failure or joblog.job_error(job.id, str(error)))
        return
    progress.move(JobState.RUNNING)
    await launch(progress, wave, new_folder=execution.position == 0)
    if workflowtask_id is not None and not task.type.is_converter:
        await units.remember_images(
            session,
            run_id=run_id,
            part=PARALLEL if task.type is TaskType.PARALLEL else NON_PARALLEL,
            dataset_id=progress.dataset.id,
            workflowtask_id=workflowtask_id,
        )


def _check_startable(
    task: TaskSnapshot, resource: Resource, urls: list[str], types: dict[str, bool], attributes: dict[str, Any]
) -> None:
    if not urls and not task.type.is_converter:
        raise ExecutionError(joblog.empty_image_list(task.name, types, attributes))
    if resource.prevent_new_submissions:
        raise ExecutionError(f"Cannot run '{task.name}', since the '{resource.name}' resource is not currently active.")


async def _retry(progress: Progress, urls: list[str]) -> Wave | None:
    """Of the first task of a retry only what failed; None: all of it, as if it were no retry.

    Images that have gone since, or that the filters no longer let pass, are left out.
    """
    session, execution, task = progress.session, progress.execution, progress.task
    if execution.position != 0 or execution.retry_run_id is None:
        return None
    failed = await units.failed(session, execution.retry_run_id)
    if task.type is TaskType.PARALLEL:
        present = set(urls)
        again = [url for _, _, images_of in failed for url in images_of if url in present]
        return plan_parallel(task, again, await pack(progress, PARALLEL, len(again))) if again else None
    if not task.type.is_compound:
        return None
    output = await units.init_output(session, execution.retry_run_id)
    indices = [index for part, index, _ in failed if part == PARALLEL]
    if output is None or not indices:
        return None
    items = deduplicate(parse_init_output(output).parallelization_list)
    again_items = [items[index] for index in indices]
    wave = plan_compute(task, again_items, await pack(progress, PARALLEL, len(again_items)))
    assert execution.run_id is not None, "the caller has opened the run"
    folder = f"{progress.working_dir}/{names.task_subfolder(task.order, task.name)}"
    await units.add_succeeded_init(
        session,
        run_id=execution.run_id,
        zarr_urls=urls,
        logfile=f"{folder}/{NON_PARALLEL}--log.txt",
        output=as_json(InitTaskOutput(parallelization_list=again_items)),
    )
    return wave


async def _plan(progress: Progress, urls: list[str]) -> Wave:
    task = progress.task
    if task.type is TaskType.PARALLEL:
        check_size(len(urls))
        return plan_parallel(task, urls, await pack(progress, PARALLEL, len(urls)))
    return plan_single(task, progress.dataset.zarr_dir, urls, await pack(progress, NON_PARALLEL, 1))


def _snapshot(row: WorkflowTask, task: Task) -> TaskSnapshot:
    return TaskSnapshot(
        workflowtask_id=row.id,
        task_id=task.id,
        order=row.order or 0,
        name=task.name,
        type=TaskType(task.type),
        command_non_parallel=task.command_non_parallel,
        command_parallel=task.command_parallel,
        args_non_parallel=row.args_non_parallel or {},
        args_parallel=row.args_parallel or {},
        meta_non_parallel=row.meta_non_parallel or {},
        meta_parallel=row.meta_parallel or {},
        input_types=task.input_types,
        output_types=task.output_types,
        type_filters=row.type_filters,
        alias=row.alias,
        shown={name: getattr(row, name) for name in SHOWN},
    )


SHOWN = ("description", "args_parallel", "args_non_parallel", "meta_parallel", "meta_non_parallel")


def _workflowtask_dump(task: TaskSnapshot, workflow_id: int | None, row: Task | None) -> dict[str, Any]:
    return {
        "id": task.workflowtask_id,
        "alias": task.alias,
        "order": task.order,
        "task_id": task.task_id,
        "task_type": task.type.value,
        "workflow_id": workflow_id,
        "type_filters": task.type_filters,
        "args_parallel": task.args_parallel,
        "meta_parallel": task.meta_parallel,
        "args_non_parallel": task.args_non_parallel,
        "meta_non_parallel": task.meta_non_parallel,
        **task.shown,
        "task": {
            "id": task.task_id,
            "name": task.name,
            "type": task.type.value,
            "version": row.version if row else None,
            "input_types": task.input_types,
            "output_types": task.output_types,
            "command_parallel": task.command_parallel,
            "command_non_parallel": task.command_non_parallel,
        },
    }


def _task_group_dump(group: TaskGroup | None) -> dict[str, Any]:
    fields = (
        *("id", "path", "origin", "version", "pkg_name", "venv_path", "pip_extras", "archive_path", "python_version"),
        *("pinned_package_versions_pre", "pinned_package_versions_post"),
    )
    return {name: getattr(group, name) for name in fields} if group else {}
