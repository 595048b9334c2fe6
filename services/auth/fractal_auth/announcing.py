"""Tells the other services whose account has changed, once that is committed.

A crash between the commit and the message costs nothing but time: whoever keeps accounts in memory keeps them for a
few seconds only.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager

from fractal_common.bus import Bus
from fractal_common.messages import USER_CHANGED, UserChanged
from fractal_common.settings import NatsSettings


class Announcer:
    """Connects in the background: accounts are served without NATS."""

    def __init__(self) -> None:
        self.bus: Bus | None = None

    @asynccontextmanager
    async def connected(self, nats: NatsSettings) -> AsyncGenerator[None]:
        async def connect() -> None:
            self.bus = await Bus.connect(nats, name="fractal-auth")

        connecting = asyncio.create_task(connect())
        try:
            yield
        finally:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)
            if self.bus is not None:
                await self.bus.close()

    async def users_changed(self, user_ids: Collection[int]) -> None:
        if self.bus is not None:
            await self.bus.send_now(USER_CHANGED, UserChanged(user_ids=sorted(user_ids)))
