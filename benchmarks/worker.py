"""Overhead of the worker: no-op units through it, against the same processes bare. Prints milliseconds a unit."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fractal_agent.worker


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    with ThreadPoolExecutor(options.processes) as pool:
        start = time.perf_counter()
        list(pool.map(lambda _: subprocess.call(["/bin/true"]), range(options.units)))
        bare = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as directory:
        batch = Path(directory, "batch")
        batch.mkdir()
        units = [{"index": n, "name": f"par-{n:07d}", "before": {"n": n}, "after": {}} for n in range(options.units)]
        spec = {
            "command": ["/bin/true"],
            "folder": str(Path(directory, "logs")),
            "env": {},
            "processes": options.processes,
            "common": {},
            "units": units,
        }
        (batch / "spec.json").write_text(json.dumps(spec))
        start = time.perf_counter()
        program = Path(fractal_agent.worker.__file__).with_name("__main__.py")
        subprocess.run([sys.executable, "-I", "-S", str(program), str(batch)], check=True)
        worker = time.perf_counter() - start
    per_unit = 1000 / options.units
    print(f"{options.units} no-op units, {options.processes} at a time")
    print(f"bare processes {bare * per_unit:6.2f} ms a unit")
    print(f"worker         {worker * per_unit:6.2f} ms a unit")
    print(f"overhead       {(worker - bare) * per_unit:6.2f} ms a unit")


if __name__ == "__main__":
    main()
