"""The commands of the README, run as written in a copy of the repository."""

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(?:<!-- run by (?P<test>\S+) -->\n)?```sh\n(?P<text>.*?)```", re.DOTALL)
ENVIRONMENTS = (".venv", ".venv-client", ".venv-demo")


def copy(to: Path) -> Path:
    """What git knows of; the virtual environments are the tested ones."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    for name in ENVIRONMENTS:
        (to / name).symlink_to(ROOT / name)
    return to


def test_the_readme_runs_from_top_to_bottom(folder: Path, bare_environment: dict[str, str]) -> None:
    subprocess.run(["make", ".venv-demo/.installed"], cwd=ROOT, check=True, timeout=300)
    clone = copy(folder)
    blocks = [match["text"] for match in BLOCK.finditer((ROOT / "README.md").read_text())]
    assert len(blocks) >= 4
    script = "set -euo pipefail\n" + "\n".join(blocks)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=clone,
        env=bare_environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown[-5000:]
    for text in ("Measured", "My first project", '"alive":true', "administrator    admin@example.org", "Stopped."):
        assert text in shown
    pictures = list((clone / "demo-output").glob("*.png"))
    assert len(pictures) == 1
    assert pictures[0].stat().st_size > 50_000


def test_commands_elsewhere_name_the_test_that_runs_them() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        for match in BLOCK.finditer(page.read_text()):
            assert match["test"], f"{page.name}: nothing runs\n{match['text']}"
            assert (ROOT / match["test"]).is_file()
