"""Answers that last: they end when their reader may no longer read."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

from fractal_jobs.api.principals import Standing

RECHECK_S = 2.0

Part = TypeVar("Part", str, bytes)


async def while_allowed(stream: AsyncGenerator[Part], holds: Standing) -> AsyncGenerator[Part]:
    """The parts of a stream; while it has nothing to say the reader is looked at every `RECHECK_S`."""
    part: asyncio.Task[Part | None] | None = None
    try:
        while True:
            part = asyncio.create_task(_next(stream))
            while not (await asyncio.wait({part}, timeout=RECHECK_S))[0]:
                if not await holds():
                    return
            value = part.result()
            if value is None or not await holds():
                return
            yield value
    finally:
        if part is not None:
            part.cancel()
            await asyncio.gather(part, return_exceptions=True)
        await stream.aclose()


async def _next(stream: AsyncGenerator[Part]) -> Part | None:
    return await anext(stream, None)
