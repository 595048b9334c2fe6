"""Memory of an idle embedded stack: proportional set size of every process, against the budget of 450 MB.

python benchmarks/idle_memory.py
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

BUDGET_MB = 450
SETTLE_S = 10


def family(pid: int) -> list[int]:
    """A process and all below it; those that end meanwhile are left out."""
    found = [pid]
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += family(int(child))
    return found


def pss_mb(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="fractal-memory-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        home = Path(directory) / "home"
        command = [sys.executable, "-m", "fractal_server.embedded"]
        environment = {**os.environ, "FRACTAL_HOME": str(home)}
        subprocess.run([*command, "up"], env=environment, check=True, stdout=subprocess.DEVNULL)
        try:
            time.sleep(SETTLE_S)
            runtime = json.loads((home / "runtime.json").read_text())
            parts = {"supervisor": pss_mb(runtime["supervisor"])}
            for name, pid in runtime["processes"].items():
                parts[name] = sum(pss_mb(one) for one in family(pid))
        finally:
            subprocess.run([*command, "down"], env=environment, check=True, stdout=subprocess.DEVNULL)
    for name, megabytes in parts.items():
        print(f"{name:12} {megabytes:7.1f} MB")
    total = sum(parts.values())
    print(f"{'total':12} {total:7.1f} MB, {total / BUDGET_MB:.2f} of the budget of {BUDGET_MB} MB")
    return 0 if total <= BUDGET_MB else 1


if __name__ == "__main__":
    sys.exit(main())
