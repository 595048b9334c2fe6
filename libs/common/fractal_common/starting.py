"""The first second of a process."""

import gc
import sys
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def loading() -> Generator[None]:
    """Import and build inside: nothing of that becomes garbage, and looking for some costs a sixth of the start.

    What has been made is never looked at again, so later collections are short.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def misconfiguration_told(process: str) -> Generator[None]:
    """A setting that is missing or wrong ends the process with one line that names it, and exit code 1."""
    from fractal_common.settings import ConfigurationError

    try:
        yield
    except ConfigurationError as error:
        sys.exit(f"{process}: {error}")
