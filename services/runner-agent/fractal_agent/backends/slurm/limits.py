"""How much of the cluster an agent takes: commands a second, and jobs of a user."""

import asyncio
import time


class TokenBucket:
    """So many commands a second for long, and a few more at once."""

    def __init__(self, rate_per_s: float, burst: int) -> None:
        self._rate = rate_per_s
        self._burst = float(burst)
        self._tokens = float(burst)
        self._filled = time.monotonic()

    async def take(self) -> None:
        """Wait for one; in order of asking, since what is missing is owed at once."""
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        self._tokens -= 1
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / self._rate)


class Window:
    """How many jobs of one user may be submitted at a time: what the operator allows, or less if the site does.

    The site's limit is not told: a refusal halves what is sent at once, an acceptance lets it grow again.
    """

    def __init__(self, limit: int, *, retry_s: float = 2.0, max_retry_s: float = 60.0) -> None:
        self._limit = limit
        self._at_once = limit
        self._first_retry_s = retry_s
        self._max_retry_s = max_retry_s
        self._retry_s = retry_s
        self._not_before = 0.0

    def room(self, submitted: int) -> int:
        """How many more may be submitted now, if so many are."""
        if time.monotonic() < self._not_before:
            return 0
        return max(0, min(self._limit - submitted, self._at_once))

    @property
    def wait_s(self) -> float:
        return max(0.2, self._not_before - time.monotonic())

    def accepted(self, count: int) -> None:
        self._retry_s = self._first_retry_s
        self._at_once = min(self._limit, max(self._at_once, 2 * count))

    def refused(self, count: int) -> None:
        """Too many: fewer at once; if it was one, later."""
        if count > 1:
            self._at_once = count // 2
            return
        self._at_once = 1
        self._not_before = time.monotonic() + self._retry_s
        self._retry_s = min(2 * self._retry_s, self._max_retry_s)
