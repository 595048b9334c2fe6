"""Events of batches, published until the bus has them on disk."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from fractal_common.bus import BusError
from fractal_common.messages import Message, UnitOutcome, UnitsFinished
from fractal_common.telemetry import get_logger

log = get_logger(__name__)

PUBLISH_RETRY_S = 0.5
MAX_OUTCOMES_PER_MESSAGE = 200
MAX_MESSAGE_BYTES = 200_000

Publish = Callable[[Message, str], Awaitable[None]]


class Reporter:
    """What is said next may rely on what was said before."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish

    async def say(self, event: Message, key: str) -> None:
        """Publish until the bus has it on disk."""
        batch: str = getattr(event, "batch", "")
        while True:
            try:
                await self._publish(event, f"{batch}:{key}")
            except BusError as error:
                log.warning("event.retry", batch=batch, error=str(error))
                await asyncio.sleep(PUBLISH_RETRY_S)
            else:
                return

    async def say_outcomes(self, batch: str, outcomes: Sequence[UnitOutcome], reported: int) -> None:
        """Results in groups that fit into messages; `reported` is how many were said before."""
        group: list[UnitOutcome] = []
        size = 0
        for outcome in outcomes:
            length = len(outcome.model_dump_json())
            if group and (len(group) == MAX_OUTCOMES_PER_MESSAGE or size + length > MAX_MESSAGE_BYTES):
                await self.say(UnitsFinished(batch=batch, outcomes=group), f"{reported}-{time.time():.3f}")
                reported += len(group)
                group, size = [], 0
            group.append(outcome)
            size += length
        await self.say(UnitsFinished(batch=batch, outcomes=group), f"{reported}-{time.time():.3f}")
