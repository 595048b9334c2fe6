"""The public fractal-server beside ours: the same requests to both, and what differs.

    python -m tests.differential --python python3.12 [--venv folder] [--only images jobs] [--speed]

Exits with 1 if a difference is found that `explained.py` does not explain, an operation was not reached, or a time
budget is missed.
"""

import argparse
import sys
import tempfile
import traceback
from pathlib import Path

from . import coverage, speed
from .scenarios import SCENARIOS
from .servers import both


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="3.12 or newer, to install the reference with")
    parser.add_argument("--venv", type=Path, help="an environment of the reference to use again")
    parser.add_argument("--only", nargs="*", choices=list(SCENARIOS), help="these scenarios instead of all")
    parser.add_argument("--speed", action="store_true", help="the table of times, after the comparison")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="fractal-differential-", ignore_cleanup_errors=True) as directory,
        both(Path(directory), options.python, options.venv) as pair,
    ):
        for name in SCENARIOS if options.only is None else options.only:
            pair.scenario = name
            try:
                SCENARIOS[name](pair)
            except Exception as error:
                # The other scenarios may still tell something.
                pair.unexplained.append(f"{name}: ended early\n      {traceback.format_exc(limit=-3)} {error!r}")
        good = sum(sent.theirs < 400 for sent in pair.sent)
        print(f"{len(pair.sent)} requests, {good} with success, {len(pair.unexplained)} unexplained differences")
        for line in pair.unexplained:
            print(f"  {line}")
        for reason, number in sorted(pair.explained.items()):
            print(f"  explained {number:4} × {reason}")
        lacking = coverage.report(pair) if options.only is None else False
        missed = speed.report(pair, Path(directory)) if options.speed else False
    return 1 if pair.unexplained or lacking or missed else 0


if __name__ == "__main__":
    sys.exit(main())
