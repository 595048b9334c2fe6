"""Started by its path: the package is found from there, after the modules of the standard library.

The argument is the batch directory, or `-`: then it comes later, by the standard input, and a worker that
nobody gives one ends.
"""

import os
import sys

sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..")))

from fractal_agent.worker.batch import main


def told():
    """The directory from the standard input; what the worker writes goes to its log there, as of any other."""
    directory = os.fsdecode(sys.stdin.buffer.read())
    if not directory:
        sys.exit(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(os.path.join(directory, "worker.log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    return directory


if __name__ == "__main__":
    status = main(told() if sys.argv[1] == "-" else os.path.abspath(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # all is on disk; taking the interpreter down would only take time
