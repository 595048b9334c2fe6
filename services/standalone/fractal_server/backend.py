"""Engine, agents and NATS beside application servers that are given a database and nothing else.

Under gunicorn several worker processes serve the app, and any of them may be replaced at any time. The one that holds
the lock of the data directory runs the backend as its children; when it goes, its children and its lock go with it,
and another worker takes over within `STAND_BY_INTERVAL_S`. What runs on the cluster is not touched by that. An
operator who sets `FRACTAL_NATS_URL` runs engine and agents on their own, and nothing is started here.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fractal_common.settings import ConfigurationError, NatsSettings, load
from fractal_common.telemetry import get_logger
from pydantic import SecretStr

from fractal_server.embedded import nats
from fractal_server.embedded.children import StartError
from fractal_server.embedded.home import Home, HomeInUseError
from fractal_server.embedded.stack import Layout, Stack, nats_is_given

log = get_logger(__name__)

STAND_BY_INTERVAL_S = 1.0
RETRY_INTERVAL_S = 5.0


@asynccontextmanager
async def standing_by() -> AsyncGenerator[NatsSettings]:
    """Settings of the NATS to use; while inside, this process is ready to run the backend."""
    if nats_is_given():
        yield load(NatsSettings)
        return
    home = Home()
    home.prepare()
    url, user, password = nats.environment(home, home.remembered_port("nats")).values()
    standby = asyncio.create_task(_stand_by(home))
    try:
        yield NatsSettings(FRACTAL_NATS_URL=url, FRACTAL_NATS_USER=user, FRACTAL_NATS_PASSWORD=SecretStr(password))
    finally:
        standby.cancel()
        await asyncio.gather(standby, return_exceptions=True)


async def _stand_by(home: Home) -> None:
    stack = Stack(home, Layout(backend_only=True))
    while True:
        try:
            await stack.start()
        except HomeInUseError:
            await asyncio.sleep(STAND_BY_INTERVAL_S)
        except (StartError, ConfigurationError, OSError) as error:
            log.error("backend.not_started", error=str(error))
            await asyncio.sleep(RETRY_INTERVAL_S)
        else:
            log.info("backend.started", home=str(home.path))
            try:
                await asyncio.Event().wait()
            finally:
                await stack.stop()
