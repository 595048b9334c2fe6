"""A job's folder as a zip, streamed from the agent that has it."""

from pathlib import PurePosixPath

from fastapi import HTTPException
from fastapi.responses import StreamingResponse
from fractal_common.bus import BusError
from fractal_common.database.models import Job

from fractal_jobs.api.agents import Agents


async def job_archive(cluster: Agents, resource_id: int | None, job: Job) -> StreamingResponse:
    """Raises 422 for a job without folder, 503 while its files cannot be read."""
    if job.working_dir is None or resource_id is None:
        raise HTTPException(422, f"Job {job.id} has no folder.")
    try:
        archive = await cluster.archive(resource_id, job.working_dir)
    except BusError as error:
        raise HTTPException(503, f"The files of job {job.id} cannot be read now: {error}.") from None
    name = PurePosixPath(job.working_dir).name
    return StreamingResponse(
        cluster.stream(resource_id, archive),
        media_type="application/x-zip-compressed",
        headers={"content-disposition": f"attachment;filename={name}_archive.zip"},
    )
