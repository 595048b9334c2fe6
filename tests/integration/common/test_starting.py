"""Processes that cannot start say why."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = ("POSTGRES_", "FRACTAL_", "JWT_")


@pytest.mark.parametrize(
    ("module", "settings", "line"),
    [
        ("fractal_auth", {}, "auth: JWT_SECRET_KEY: Field required"),
        ("fractal_jobs.api", {}, "jobs-api: POSTGRES_DB: Field required"),
        ("fractal_jobs.api", {"FRACTAL_LOGGING_LEVEL": "loud"}, "jobs-api: FRACTAL_LOGGING_LEVEL: Input should be a "),
        ("fractal_agent", {}, "agent: FRACTAL_RUNNER_WORKING_BASE_DIR: not set"),
        ("fractal_agent", {"FRACTAL_AGENT_RESOURCE_ID": "0"}, "agent: FRACTAL_AGENT_RESOURCE_ID: Input should be "),
        ("fractal_jobs.engine", {}, "engine: POSTGRES_DB: Field required"),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_named_in_one_line(
    tmp_path: Path, module: str, settings: dict[str, str], line: str
) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=tmp_path,
        env=kept | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1
