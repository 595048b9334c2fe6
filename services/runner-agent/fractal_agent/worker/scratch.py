"""Where a scheduled worker keeps the files of its running units, and how it ends when the scheduler ends it."""

import errno
import hashlib
import os
import stat

INTERRUPTED = 143
"""Exit status after the scheduler's SIGTERM: what had not ended has no result, so that its cause is the scheduler's."""
MIN_FREE_BYTES = 64 * 1024 * 1024


def incarnation():
    """Of a job that SLURM may start several times: names what belongs to this start of it."""
    return "%s-%s" % (os.environ.get("SLURM_JOB_ID", "0"), os.environ.get("SLURM_RESTART_COUNT", "0"))


def scratch(directory):
    """A folder for the files of running units: on the node's own disk if that has room, else on the shared one.

    It is of this start of the job only. A unit that an earlier start left unfinished is therefore run again, which is
    right: the scheduler starts a job again only after it has ended everything of it.
    """
    # The directory is in the name because clusters that share a node may both have a job of this number.
    name = "fractal-%s-%s" % (incarnation(), hashlib.sha256(directory.encode()).hexdigest()[:16])
    local = os.path.join(os.environ.get("TMPDIR") or "/tmp", name)
    try:
        facts = os.statvfs(os.path.dirname(local))
        if facts.f_bavail * facts.f_frsize < MIN_FREE_BYTES:
            raise OSError(errno.ENOSPC, "too little room")
        try:
            os.mkdir(local, 0o700)
        except FileExistsError:
            found = os.lstat(local)
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                raise
        return local
    except OSError:
        return os.path.join(directory, "units-" + incarnation())
