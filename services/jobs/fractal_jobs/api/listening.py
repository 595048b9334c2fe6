"""Wakes those of this process who follow a job, when any engine has something to say about it."""

import asyncio
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from fastapi import Request
from fractal_common.database.listening import notifications
from fractal_common.settings import DatabaseSettings
from fractal_common.telemetry import get_logger

from fractal_jobs.queries.events import CHANNEL

log = get_logger(__name__)

RETRY_S = 1.0


class Following:
    """One who follows. To be cleared before looking, and waited for after it: then no news is lost in between."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._urgent = asyncio.Event()

    def clear(self) -> None:
        self._news.clear()
        self._urgent.clear()

    def tell(self, *, urgent: bool) -> None:
        self._news.set()
        if urgent:
            self._urgent.set()

    async def wait(self, timeout_s: float, *, urgent: bool = False) -> bool:
        """Whether there were news within the time; with `urgent` others than counts."""
        try:
            await asyncio.wait_for((self._urgent if urgent else self._news).wait(), timeout_s)
        except TimeoutError:
            return False
        return True


class Listener:
    """One connection a process, however many follow. It only saves time: whoever waits looks again by themselves."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._waiting: defaultdict[int, set[Following]] = defaultdict(set)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async for notification in notifications(self._settings, [CHANNEL], process="fractal-jobs-api-listen"):
                    if notification is None:
                        self._wake(list(self._waiting), urgent=True)
                    else:
                        job_id, _, kind = notification[1].partition(" ")
                        self._wake([int(job_id)], urgent=kind != "units")
            except psycopg.Error as error:
                log.warning("listener.retry", error=str(error).strip())
            await asyncio.sleep(RETRY_S)

    @contextmanager
    def following(self, job_id: int) -> Generator["Following"]:
        """While inside, nothing that is said about the job is missed."""
        following = Following()
        self._waiting[job_id].add(following)
        try:
            yield following
        finally:
            self._waiting[job_id].discard(following)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    def _wake(self, job_ids: list[int], *, urgent: bool) -> None:
        for job_id in job_ids:
            for following in self._waiting.get(job_id, ()):
                following.tell(urgent=urgent)


async def listener(request: Request) -> Listener:
    return request.app.state.listener
