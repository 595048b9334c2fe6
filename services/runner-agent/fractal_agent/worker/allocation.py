"""One allocation of a scheduler: which batch is its.

Standard library only, like the rest of this package; packed into one file, it is what the allocation script starts.
"""

import json
import os
import sys

from fractal_agent.worker.batch import main as run

LOCK_WAIT_S = 20.0
"""No other worker has the batch for long: it dies with an earlier start of the job, or has been killed already and a
keeper that it was forking then is about to let go."""


def batch_directory(submission):
    """The batch of this allocation: the only one, or that of its place in the job array."""
    with open(submission) as stream:
        batches = json.load(stream)["batches"]
    return batches[os.environ.get("SLURM_ARRAY_TASK_ID", "")]


def main():
    status = run(batch_directory(os.path.abspath(sys.argv[1])), LOCK_WAIT_S)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
