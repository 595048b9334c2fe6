"""One job's way from one state to the next, under its row lock and in one transaction."""

from fractal_common.database.base import utcnow
from fractal_common.database.models import Dataset, Execution, Job, Profile, Resource
from fractal_common.messages import BatchCancel, JobArchive
from sqlalchemy.ext.asyncio import AsyncSession

from fractal_jobs.domain import joblog
from fractal_jobs.domain.planning import TaskSnapshot
from fractal_jobs.domain.states import JobState, move
from fractal_jobs.queries import events, executions, outbox


class Progress:
    """A job being advanced: its rows, its log, and how it ends."""

    def __init__(self, session: AsyncSession, execution: Execution, job: Job, dataset: Dataset) -> None:
        self.session = session
        self.execution = execution
        self.job = job
        self.dataset = dataset
        self._resource: Resource | None = None
        self._profile: Profile | None = None

    @property
    def tasks(self) -> list[TaskSnapshot]:
        """Tasks of the submitted range, as they were when the job began."""
        snapshot = self.execution.snapshot or {}
        return [TaskSnapshot.model_validate(task) for task in snapshot["tasks"]]

    @property
    def task(self) -> TaskSnapshot:
        return self.tasks[self.execution.position]

    @property
    def image_statuses(self) -> dict[str, str] | None:
        """Status of each image that the job's status filter lets pass, frozen when the job began; None: no filter."""
        return (self.execution.snapshot or {}).get("image_statuses")

    @image_statuses.setter
    def image_statuses(self, statuses: dict[str, str]) -> None:
        self.execution.snapshot = {**(self.execution.snapshot or {}), "image_statuses": statuses}

    @property
    def workflow_name(self) -> str:
        return str(self.job.workflow_dump["name"])

    @property
    def working_dir(self) -> str:
        return self.job.working_dir or ""

    async def resource(self) -> Resource | None:
        """Where the job runs; read once in a transaction."""
        if self._resource is None:
            self._resource = await executions.resource(self.session, self.execution.resource_id)
        return self._resource

    async def profile(self) -> Profile | None:
        """As whom the job runs; read once in a transaction."""
        if self._profile is None:
            self._profile = await executions.profile(self.session, self.execution.profile_id)
        return self._profile

    def move(self, target: JobState) -> None:
        self.execution.state = move(self.execution.state, target)

    def write(self, level: str, text: str) -> None:
        """A line of `workflow.log`."""
        self.execution.workflow_log += joblog.line(utcnow(), self.job.workflow_id or 0, self.job.id, level, text)

    async def finish(self) -> None:
        for level, text in joblog.footer(self.workflow_name, self.working_dir):
            self.write(level, text)
        self.move(JobState.DONE)
        await self._close("done", self.execution.workflow_log)

    async def fail(self, log: str, *, anticipated: bool = True) -> None:
        """`log` becomes the job's log, whole."""
        kind = "JobExecutionError" if anticipated else "unknown error"
        self.write("DEBUG", f'FAILED workflow "{self.workflow_name}", {kind}.')
        self.write("INFO", f'Workflow "{self.workflow_name}" failed ({kind}).')
        self.move(JobState.FAILED)
        await self._close("failed", log)

    async def cancel(self, batches: list[str]) -> None:
        """Tell the agent to stop these batches; it may be told twice."""
        messages = [BatchCancel(batch=batch, job_id=self.job.id, working_dir=self.working_dir) for batch in batches]
        await outbox.add(self.session, self._resource_id(), "batch.cancel", *messages)

    async def _close(self, status: str, log: str) -> None:
        self.job.status = status
        self.job.end_timestamp = utcnow()
        self.job.log = joblog.clean_text(log)
        await events.tell(self.session, self.job.id, "job", {"status": status})
        self.execution.run_id = None
        if self.execution.resource_id is not None and self.working_dir:
            message = JobArchive(
                job_id=self.job.id, working_dir=self.working_dir, workflow_log=self.execution.workflow_log
            )
            await outbox.add(self.session, self.execution.resource_id, "batch.archive", message)

    def _resource_id(self) -> int:
        assert self.execution.resource_id is not None, "a job with batches has a resource"
        return self.execution.resource_id
