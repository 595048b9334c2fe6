"""Errors of the domain.

ExecutionError           a job fails with the message as its own words ("JOB ERROR …")
  FilterConflict         a task and its workflow task contradict each other
  PlanError              the task cannot be started
  AccountLineError       a script would change a job's account (reported as "UNKNOWN ERROR …")
  MergeError             outputs cannot be merged into the image list
    NonUniqueUrls        an image is named twice (reported as "UNKNOWN ERROR …")
    OutsideZarrDir       a new image is not below the dataset's directory
    MissingImage         an image to remove is not in the list
InvalidOutput            one unit's output is not valid; only that unit fails
"""


class ExecutionError(Exception):
    """Ends a job; the text goes into its log."""


class FilterConflict(ExecutionError):
    """Type filters of task and workflow task differ on a key."""


class PlanError(ExecutionError):
    """A task cannot be started with these images or arguments."""


class AccountLineError(ExecutionError):
    """A line of `worker_init` sets the SLURM account, which only the submission does."""


class MergeError(ExecutionError):
    """The outputs of a task cannot be merged; the image list stays as it was."""


class NonUniqueUrls(MergeError):
    """After merging, an image is named more than once."""


class OutsideZarrDir(MergeError):
    """A new image would not be below the dataset's directory."""


class MissingImage(MergeError):
    """An image to remove is not in the list."""


class InvalidOutput(Exception):
    """A process returned something that is not a task output."""
