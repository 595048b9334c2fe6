"""Worker class and logger for gunicorn (`--worker-class fractal_server.gunicorn_fractal.FractalWorker`).

The arbiter sends SIGABRT to a worker whose event loop has not answered for `--timeout` seconds, and by default that is
the end: open requests are cut, connections are left to time out. Here it becomes a SIGTERM, so a worker that comes to
itself again answers what it has begun, leaves the database and the bus in order, and gives its place to a new one. One
that does not is killed when the timeout has passed once more.
"""

import logging
import os
import signal
from types import FrameType
from typing import Any

from gunicorn.glogging import Logger
from uvicorn_worker import UvicornWorker

TEARDOWN_RESERVE_S = 10
"""Of gunicorn's `--graceful-timeout`: for what comes after the last request."""

log = logging.getLogger("uvicorn.error")


class FractalWorker(UvicornWorker):
    """A uvicorn worker that ends in order when it was too slow."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Streams of events are open for minutes: they are closed in time for an orderly end.
        self.config.timeout_graceful_shutdown = max(1, self.cfg.graceful_timeout - TEARDOWN_RESERVE_S)

    def init_signals(self) -> None:
        super().init_signals()
        signal.signal(signal.SIGABRT, self.custom_handle_abort)
        log.info(f"[FractalWorker.init_signals - pid={self.pid}] Set `custom_handle_abort` for SIGABRT")

    def custom_handle_abort(self, number: int, frame: FrameType | None) -> None:
        """Give notice once more, for the time that an orderly end takes, and begin it."""
        self.alive = False
        self.notify()
        log.info(f"[FractalWorker.custom_handle_abort - pid={self.pid}] Now send SIGTERM to process.")
        os.kill(os.getpid(), signal.SIGTERM)


class FractalGunicornLogger(Logger):
    """`--logger-class`: the arbiter's lines look like those of the application."""

    error_fmt = "%(asctime)s   - gunicorn.error - %(levelname)s - [pid %(process)d] - %(message)s"
    datefmt = "%Y-%m-%d %H:%M:%S,%u"
