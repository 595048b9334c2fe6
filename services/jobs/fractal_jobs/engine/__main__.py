"""`python -m fractal_jobs.engine`: one replica of the engine."""

import asyncio
import contextlib
import signal

from fractal_common.bus import Bus
from fractal_common.settings import DatabaseSettings, NatsSettings, load
from fractal_common.starting import misconfiguration_told
from fractal_common.telemetry import configure_logging

from fractal_jobs.engine.service import Engine


async def main() -> None:
    database = load(DatabaseSettings)
    bus = await Bus.connect(load(NatsSettings), name="fractal-jobs-engine")
    running = asyncio.create_task(Engine(database, bus).run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await bus.close()


if __name__ == "__main__":
    with misconfiguration_told("engine"):
        configure_logging("engine")
        asyncio.run(main())
