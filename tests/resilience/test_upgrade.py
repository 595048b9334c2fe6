"""Rolling upgrade: services of an older release, from this repository's history, beside those of this one."""

import asyncio
import io
import os
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from . import chaos
from .stack import Stack

OLDER = "d9a4f110f51cb219d249ba881c06f722898fd83f"
"""A commit whose services must go on working beside today's, on today's database."""
ROOT = Path(__file__).parents[2]
PACKAGES = ["libs/common", "services/auth", "services/jobs", "services/runner-agent", "services/standalone"]
OLD_END_S = 0.8


@pytest.fixture(scope="session")
def older_release(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The `PYTHONPATH` of the older release's packages."""
    archive = subprocess.run(["git", "archive", OLDER, *PACKAGES], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"the history does not reach back to {OLDER}: {archive.stderr.decode().strip()}")
    folder = tmp_path_factory.mktemp("older")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    path = os.pathsep.join(str(folder / package) for package in PACKAGES)
    where = subprocess.run(
        [
            sys.executable,
            "-c",
            "import fractal_agent, fractal_jobs; print(fractal_agent.__file__, fractal_jobs.__file__)",
        ],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.count(str(folder)) == 2, where.stdout
    return path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["engine"], ["agent"]),
        (["agent"], ["engine"]),
        (["engine", "agent"], ["engine-2", "agent-2"]),
    ],
    ids=["old engine", "old agent", "old and new of each"],
)
@pytest.mark.parametrize("goes_on", [True, False], ids=["to the end", "upgraded in the middle"])
async def test_old_and_new_do_one_job_together(
    bare_stack: Stack, older_release: str, old: list[str], new: list[str], goes_on: bool
) -> None:
    stack = bare_stack
    stack.start("nats")
    ours = {name: stack.commands[name] for name in old}
    for name in old:
        argv, environment = ours[name]
        stack.commands[name] = (argv, environment | {"PYTHONPATH": older_release})
        stack.start(name)
    for name in new:
        stack.start(name)
    job_id = await stack.submit(chaos.steps(stack.zarr_dir), [])
    if not goes_on:
        await asyncio.sleep(OLD_END_S)
        for name in old:
            stack.kill(name)
            stack.commands[name] = ours[name]
            stack.start(name)
    job = await stack.finished(job_id, 60)
    assert job.status == "done", job.log
    assert Counter(stack.started()) == chaos.expected_starts(stack.zarr_dir)
    assert await stack.images(job) == chaos.expected_images(stack.zarr_dir)
