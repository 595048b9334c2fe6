"""Started by its path: the package is found from there, after the modules of the standard library."""

import os
import sys

sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..")))

from fractal_agent.worker.batch import main

if __name__ == "__main__":
    status = main(os.path.abspath(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # all is on disk; taking the interpreter down would only take time
