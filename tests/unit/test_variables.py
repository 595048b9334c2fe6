"""Every variable that some part of the product reads is known as such."""

import re
from pathlib import Path

import fractal_agent.backends.slurm.settings
import fractal_agent.settings
import fractal_auth.app
import fractal_jobs.app
import fractal_server.first_start
from fractal_common import earlier
from fractal_common.settings import SettingsGroup
from fractal_common.variables import known_variables, remarks

ROOT = Path(__file__).parents[2]
READERS = (
    fractal_agent.settings,
    fractal_agent.backends.slurm.settings,
    fractal_auth.app,
    fractal_jobs.app,
    fractal_server.first_start,
)
"""Imported for their groups of settings."""
TABLE_ROW = re.compile(r"^\| `FRACTAL_.*$", re.MULTILINE)
NAME = re.compile(r"`(FRACTAL_[A-Z0-9_]+)`")


def test_settings_of_every_service_are_known() -> None:
    declared = {name for group in SettingsGroup.__subclasses__() for name in group.model_fields}
    read = {name for name in declared if name.startswith("FRACTAL_")}
    assert len(read) > 30
    assert read - known_variables() == set()


def test_variables_of_the_compose_project_and_of_the_docs_are_known() -> None:
    compose = (ROOT / "deploy/compose/compose.yaml").read_text()
    named = set(re.findall(r"\bFRACTAL_[A-Z0-9_]+", compose))
    for page in (ROOT / "docs").glob("*.md"):
        named |= {name for row in TABLE_ROW.findall(page.read_text()) for name in NAME.findall(row)}
    assert named - known_variables() == set()


def test_what_was_dropped_is_not_read_after_all() -> None:
    assert known_variables() & earlier.DROPPED.keys() == set()
    assert remarks(["PATH", "POSTGRES_DB", "FRACTAL_HOME", "FRACTAL_SLURM_CONFIG_FILE"]) == []
