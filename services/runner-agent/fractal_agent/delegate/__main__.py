"""Started by its path: the package is found from there, after the modules of the standard library."""

import os
import sys

sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..")))

from fractal_agent.delegate.service import main

if __name__ == "__main__":
    main()
