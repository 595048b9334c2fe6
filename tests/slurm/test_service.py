"""The agent's systemd unit, as systemd itself reads it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.slurm import packages

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "fractal-agent.service"
INSTALLED = "/opt/fractal/venv/bin/python"


@pytest.mark.parametrize(
    ("line", "spoiled"), [(None, ""), ("KillMode=process", "KillMode=proces"), ("User=fractal", "Users=fractal")]
)
def test_systemd_understands_every_line_of_the_unit(tmp_path: Path, line: str | None, spoiled: str) -> None:
    """And finds what is wrong with one that it does not understand."""
    packages.install()
    text = UNIT.read_text()
    assert f"ExecStart={INSTALLED} -m fractal_agent\n" in text
    if line is not None:
        assert f"\n{line}\n" in text
        text = text.replace(line, spoiled)
    unit = tmp_path / UNIT.name
    unit.write_text(text.replace(INSTALLED, sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    if line is None:
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
    else:
        assert f"{unit}:" in done.stderr
