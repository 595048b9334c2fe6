"""A disk of a few megabytes for the job folders of a stack."""

import os
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

SIZE = "8m"


@contextmanager
def small_disk() -> Generator[Path]:
    """A stack's directory whose job folders are on a file system of their own; needs root."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    with tempfile.TemporaryDirectory(prefix="fractal-stack-") as directory:
        jobs = Path(directory, "home", "jobs")
        jobs.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "fractal-test", str(jobs)], check=True)
        try:
            yield Path(directory)
        finally:
            subprocess.run(["umount", "--lazy", str(jobs)], check=True)
