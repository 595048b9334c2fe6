"""Old job folders and their archives, removed if the operator wants that."""

import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from fractal_common.telemetry import get_logger

log = get_logger(__name__)

MONTH = re.compile(r"\d{4}-\d{2}")
JOB = re.compile(r"proj_v2_\d+_wf_\d+_job_\d+_\d{8}_\d{6}(\.zip)?")


def sweep(jobs_dir: Path, *, keep_s: float, busy: Iterable[Path]) -> int:
    """Remove what has not changed for `keep_s` seconds and belongs to no running batch; returns how many.

    Nothing is followed through a link, and nothing is touched whose name is not that of a job.
    """
    oldest = time.time() - keep_s
    running = {folder.resolve() for folder in busy}
    removed = 0
    for month in jobs_dir.iterdir():
        if not MONTH.fullmatch(month.name) or month.is_symlink() or not month.is_dir():
            continue
        for entry in month.iterdir():
            if not JOB.fullmatch(entry.name) or entry.is_symlink() or entry.lstat().st_mtime > oldest:
                continue
            if entry.with_suffix("").resolve() in running:
                continue
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
            removed += 1
    if removed:
        log.info("jobs.removed", count=removed, older_than_s=keep_s)
    return removed
