"""An agent for every resource of this host that the database names, also for those made while the stack runs.

Local ones, and where SLURM's commands are at hand the `slurm_sudo` ones, unless the operator brings the NATS and with
it agents of their own; all others have their agents elsewhere.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fractal_common.database.models import Resource
from fractal_common.database.sessions import Database
from fractal_common.settings import DatabaseSettings, given_variables
from fractal_common.telemetry import get_logger
from fractal_common.types import ResourceType
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from fractal_server.embedded.children import Child, ChildSpec, python_module

log = get_logger(__name__)

RESOURCES_POLL_S = 2.0


@dataclass(frozen=True)
class LocalResource:
    """Where an agent on this host works. Directories that the operator has set count before the row's."""

    id: int
    jobs_dir: str
    tasks_dir: str

    def environment(self) -> dict[str, str]:
        wanted = {"FRACTAL_RUNNER_WORKING_BASE_DIR": self.jobs_dir, "FRACTAL_TASKS_DIR": self.tasks_dir}
        given = given_variables()
        return {
            "FRACTAL_AGENT_RESOURCE_ID": str(self.id),
            **{name: value for name, value in wanted.items() if name not in given},
        }


class LocalAgents:
    """Keeps one child for each resource of this host."""

    def __init__(
        self,
        database: DatabaseSettings,
        environment: dict[str, str],
        *,
        start: Callable[[ChildSpec], Awaitable[Child]],
        stop: Callable[[Child], Awaitable[None]],
    ) -> None:
        self._environment = environment
        self._start = start
        self._stop = stop
        self._database = Database.connect(database, process="fractal-supervisor", pool_size=1)
        self._agents: dict[LocalResource, Child] = {}
        self._types = [ResourceType.LOCAL]
        if shutil.which("sbatch") is not None and "FRACTAL_NATS_URL" in environment:
            self._types.append(ResourceType.SLURM_SUDO)

    async def follow(self) -> None:
        """Until cancelled. A database that does not answer changes nothing."""
        try:
            while True:
                try:
                    await self.match(await self._resources())
                except SQLAlchemyError as error:
                    log.warning("resources.unknown", error=str(error.__cause__ or error).strip())
                await asyncio.sleep(RESOURCES_POLL_S)
        finally:
            await self._database.close()

    async def match(self, resources: set[LocalResource]) -> None:
        """Stop the agents of resources that are gone or have moved, start those of new ones."""
        for resource in self._agents.keys() - resources:
            await self._stop(self._agents.pop(resource))
        for resource in sorted(resources - self._agents.keys(), key=lambda one: one.id):
            name = "agent" if resource.id == 1 else f"agent-{resource.id}"
            spec = ChildSpec(name, python_module("fractal_agent"), self._environment | resource.environment())
            self._agents[resource] = await self._start(spec)

    async def _resources(self) -> set[LocalResource]:
        statement = select(Resource.id, Resource.jobs_local_dir, Resource.tasks_local_dir)
        async with self._database.session() as session:
            rows = await session.execute(statement.where(Resource.type.in_(self._types)))
            return {LocalResource(*row) for row in rows}
