"""`python -m fractal_agent`: one agent for the resource that the environment names."""

import asyncio
import contextlib
import signal

from fractal_common.bus import Bus
from fractal_common.settings import NatsSettings, load
from fractal_common.starting import misconfiguration_told
from fractal_common.telemetry import configure_logging

from fractal_agent.agent import Agent
from fractal_agent.backends.slurm.settings import SlurmSettings
from fractal_agent.settings import AgentSettings, directories


async def main() -> None:
    settings = load(AgentSettings)
    jobs, tasks = directories()
    bus = await Bus.connect(load(NatsSettings), name="fractal-agent", inbox_prefix="_INBOX.agent")
    agent = Agent(
        bus,
        settings,
        load(SlurmSettings),
        jobs_dir=jobs,
        tasks_dir=tasks,
        state_dir=settings.FRACTAL_AGENT_STATE_DIR or jobs / ".fractal-agent",
    )
    running = asyncio.create_task(agent.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await bus.close()


if __name__ == "__main__":
    with misconfiguration_told("agent"):
        configure_logging("agent")
        asyncio.run(main())
