"""A planned wave becomes batches: their rows, their units, and the commands in the outbox."""

from typing import Any

from fractal_jobs.domain import names
from fractal_jobs.domain.planning import PARALLEL, PlannedUnit, Wave
from fractal_jobs.engine.progress import Progress
from fractal_jobs.queries import batches, events, outbox, scheduler, units


async def launch(progress: Progress, wave: Wave, *, new_folder: bool = False) -> None:
    """One batch of local processes, or one for each SLURM job; however many, in as many statements.

    `new_folder`: these are the job's first batches, whose agent makes its folder.
    """
    session, execution, job, task = progress.session, progress.execution, progress.job, progress.task
    assert execution.run_id is not None, "a wave belongs to a run"
    assert execution.resource_id is not None, "a job that runs has a resource"
    folder = f"{progress.working_dir}/{names.task_subfolder(task.order, task.name)}"
    name = f"job{job.id:07d}-task{task.order:04d}-run{execution.run_id:07d}-{wave.part}"
    groups = wave.batches()
    ids = await batches.add(
        session,
        job_id=job.id,
        run_id=execution.run_id,
        resource_id=execution.resource_id,
        part=wave.part,
        spec=await _spec(progress, wave, folder, new_folder=new_folder),
        batches=[_batch(wave, name, index, group, len(groups)) for index, group in enumerate(groups)],
    )
    rows = [
        {
            "batch_id": batch_id,
            "index": unit.index,
            "logfile": f"{folder}/{unit.name}-log.txt",
            "zarr_urls": unit.zarr_urls,
            "before": unit.before,
            "after": unit.after,
        }
        for batch_id, group in zip(ids, groups, strict=True)
        for unit in group
    ]
    await units.insert(session, run_id=execution.run_id, part=wave.part, units=rows)
    if wave.packing.slurm and wave.part == PARALLEL:
        # A parallel wave has its row whatever becomes of it; a single process when SLURM has it.
        await scheduler.account(session, ids[0], [])
    await events.tell(session, job.id, "units", {"run_id": execution.run_id})
    await outbox.add_batches(session, [(batch_id, execution.resource_id) for batch_id in ids])


async def _spec(progress: Progress, wave: Wave, folder: str, *, new_folder: bool) -> dict[str, Any]:
    """What the commands of all batches say alike."""
    execution, job = progress.execution, progress.job
    assert execution.run_id is not None, "a wave belongs to a run"
    profile = await progress.profile()
    return {
        "working_dir": progress.working_dir,
        "new_working_dir": new_folder,
        "working_dir_user": job.working_dir_user or progress.working_dir,
        "folder": folder,
        "command": wave.command,
        "environment": {"FRACTAL_CACHE_DIR": execution.cache_dir} if execution.cache_dir else {},
        "processes": wave.packing.processes or 0,
        "common": wave.common,
        "workflow_log": execution.workflow_log,
        "username": profile.username if profile else None,
        "task_type": progress.task.type.value,
    }


def _batch(wave: Wave, name: str, index: int, units: list[PlannedUnit], count: int) -> dict[str, Any]:
    """Name, size, and what the command of this batch says besides."""
    slurm = wave.packing.slurm
    if slurm is None:
        return {"index": index, "name": name, "remaining": len(units), "own": {}}
    own = {
        "slurm": slurm.job(len(units)).model_dump(mode="json"),
        "processes": min(slurm.processes, len(units)),
        "wave": name,
        "wave_batches": count,
        "wave_index": index,
    }
    return {"index": index, "name": f"{name}-{index:06d}", "remaining": len(units), "own": own}
