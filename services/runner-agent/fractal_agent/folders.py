"""Job folders: made by the first batch of a job, recognised when the same job comes again."""

import errno
import json
from pathlib import Path

from fractal_agent.batchdir import write_json

FULL = (errno.ENOSPC, errno.EDQUOT)
MARKER = ".fractal/job.json"


class FolderError(Exception):
    """The job folder cannot be made; the message is for the job's log."""


def ensure_job_folder(working_dir: Path, job_id: int, *, new: bool) -> None:
    """Make the folder of a new job; a folder that holds another job, or none of ours, is refused.

    Raises:
        FolderError: with the words that the job's log will show.
        OSError: the disk is full; nothing is lost by trying again.
    """
    marker = working_dir / MARKER
    try:
        if _owner(marker) == job_id:
            return
        if not working_dir.exists():
            # It appears with its marker or not at all: an agent that dies in between leaves nothing that looks foreign.
            draft = working_dir.with_name(f".{working_dir.name}.new")
            (draft / MARKER).parent.mkdir(parents=True, exist_ok=True)
            write_json(draft / MARKER, {"job_id": job_id})
            draft.rename(working_dir)
            return
        working_dir.mkdir(exist_ok=not new)
        marker.parent.mkdir(exist_ok=True)
        write_json(marker, {"job_id": job_id})
    except OSError as error:
        if error.errno in FULL:
            raise
        raise FolderError(
            f"{type(error).__name__} error while creating local job folder. Original error: {error}"
        ) from error


def write_log(working_dir: Path, text: str) -> None:
    """Replace `workflow.log` in one step."""
    draft = working_dir / ".workflow.log.tmp"
    draft.write_text(text)
    draft.rename(working_dir / "workflow.log")


def _owner(marker: Path) -> int | None:
    try:
        return int(json.loads(marker.read_text())["job_id"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError):
        # Cut short by a crash while being made: ours, or mkdir below would refuse it.
        return None
