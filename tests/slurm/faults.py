"""Between the agent and the real command: its answer, kept back or spoiled, as a test wants it."""

import shutil
from pathlib import Path

SCRIPT = """\
#!/bin/sh
case "$(cat '{mode}' 2>/dev/null)" in
    fail) echo "slurm_load_jobs error: Unable to contact slurm controller (connect failure)" >&2; exit 1;;
    empty) exit 0;;
    nonsense) echo "<html>502 Bad Gateway</html>"; exit 0;;
    truncated) '{real}' "$@" | head -c 150; exit 0;;
    hang) sleep 60;;
    *) exec '{real}' "$@";;
esac
"""


class Faults:
    """A folder to be put before all others in the agent's PATH."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "faults"
        self.folder.mkdir()

    def spoil(self, command: str, mode: str) -> None:
        """`fail`, `empty`, `nonsense`, `truncated`, `hang`; `` for what is really answered."""
        real = shutil.which(command)
        assert real is not None
        mode_file = self.folder / f"{command}.mode"
        mode_file.write_text(mode)
        file = self.folder / command
        if not file.exists():
            file.write_text(SCRIPT.format(mode=mode_file, real=real))
            file.chmod(0o755)
