"""Identity §14: what is logged, where, and how an operator decides about it. Each test is a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import logging
from fractal_common.telemetry import configure_logging, get_logger
early = logging.getLogger("slow-response")
configure_logging("test")
get_logger("fractal_jobs.engine").debug("hidden")
get_logger("fractal_jobs.engine").info("batch.started", job_id=3, path="/a b")
logging.getLogger("httpx").info("nobody asked")
logging.getLogger("uvicorn.error").info("uvicorn speaks")
early.warning("GET /x/?, 200, 31.00")
"""
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"


def logged(folder: Path, program: str = PROGRAM, **settings: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FRACTAL_", "LOG_CONFIG"))}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=kept | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == ""
    return done.stderr


def test_lines_name_time_logger_and_level(tmp_path: Path) -> None:
    lines = logged(tmp_path).splitlines()
    assert len(lines) == 3
    event = r'event=batch.started job_id=3 path="/a b" process=test'
    assert re.fullmatch(rf"{TIME} - fractal_jobs.engine - INFO - {event}", lines[0])
    assert re.fullmatch(rf"{TIME} - uvicorn.error - INFO - uvicorn speaks", lines[1])
    assert re.fullmatch(rf"{TIME} - slow-response - WARNING - GET /x/\?, 200, 31.00", lines[2])


def test_the_level_is_a_setting(tmp_path: Path) -> None:
    assert "event=hidden" in logged(tmp_path, FRACTAL_LOGGING_LEVEL="10")
    quiet = logged(tmp_path, FRACTAL_LOGGING_LEVEL="30")
    assert "batch.started" not in quiet
    assert "slow-response" in quiet


CONFIG = """\
version: 1
disable_existing_loggers: false
formatters: {short: {format: "%(name)s|%(levelname)s|%(message)s"}}
handlers: {file: {class: logging.FileHandler, filename: all.log, formatter: short}}
loggers: {fractal_jobs: {level: DEBUG, handlers: [file]}}
root: {level: ERROR, handlers: []}
"""


def test_a_file_decides_about_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "log.yaml").write_text(CONFIG)
    assert logged(tmp_path, LOG_CONFIG_FILE="log.yaml") == ""
    lines = (tmp_path / "all.log").read_text().splitlines()
    assert lines[0] == "fractal_jobs.engine|DEBUG|event=hidden process=test"
    assert lines[1].startswith("fractal_jobs.engine|INFO|event=batch.started ")


@pytest.mark.parametrize("content", [None, "version: [", "version: 2", "just text"])
def test_a_file_that_cannot_be_used_is_told_and_passed_over(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "log.yaml").write_text(content)
    text = logged(tmp_path, LOG_CONFIG_FILE="log.yaml")
    assert " - root - ERROR - [fractal-server] WARNING: failed to load LOG_CONFIG_FILE='log.yaml': " in text
    assert "Falling back to built-in logging." in text
    assert "batch.started" in text


def test_variables_that_nobody_reads_are_told(tmp_path: Path) -> None:
    (tmp_path / ".fractal_server.env").write_text("FRACTAL_LOGING_LEVEL=10\nFRACTAL_MAX_PIP_VERSION=24.0\n")
    program = "from fractal_common.telemetry import configure_logging\nconfigure_logging('test')"
    text = logged(tmp_path, program, FRACTAL_TASK_DIR="/t", FRACTAL_PIP_CACHE_DIR="/c", FRACTAL_XYZZY="1")
    lines = [line.partition(" - WARNING - ")[2] for line in text.splitlines()]
    common, gone = "event=setting.ignored", "of an earlier release: pip is not pinned any more"
    assert lines == [
        f"{common} variable=FRACTAL_LOGING_LEVEL reason=unknown did_you_mean=FRACTAL_LOGGING_LEVEL process=test",
        f'{common} variable=FRACTAL_MAX_PIP_VERSION reason="{gone}" process=test',
        f"{common} variable=FRACTAL_TASK_DIR reason=unknown did_you_mean=FRACTAL_TASKS_DIR process=test",
        f"{common} variable=FRACTAL_XYZZY reason=unknown process=test",
    ]
