"""One process: its files, its lock, and what became of it."""

import errno
import fcntl
import json
import os
import signal

from fractal_agent.worker.disk import patiently


class Unit:
    """`units/N.unit` is locked while the unit runs; its lines tell that it began, and how it ended."""

    def __init__(self, place, batch):
        self.place = place
        self.spec = spec = batch.spec["units"][place]
        self.index = spec["index"]
        self.batch = batch
        self.base = os.path.join(batch.units_directory, str(self.index))
        self.state = self.base + ".unit"
        self.arguments_file = self.base + ".args.json"
        self.output_file = self.base + ".out.json"
        self.log = os.path.join(batch.spec["folder"], spec["name"] + "-log.txt")

    @property
    def arguments(self):
        merged = dict(self.spec["before"])
        merged.update(self.batch.spec["common"])
        merged.update(self.spec["after"])
        return merged

    def take_lock(self):
        """A descriptor that holds the unit's lock; None if somebody runs it."""
        descriptor = patiently(lambda: os.open(self.state, os.O_RDWR | os.O_CREAT, 0o644), self.batch.check_stop)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return None
            raise
        return descriptor

    def is_running(self):
        """Whether somebody holds the lock."""
        descriptor = self.take_lock()
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    def read_state(self):
        """What its keeper wrote when it began, and when it ended; None for what is missing or unfinished."""
        try:
            with open(self.state, "rb") as stream:
                lines = [json.loads(line) for line in stream if line.endswith(b"\n")]
        except (OSError, ValueError):
            return None, None
        return lines[0] if lines else None, lines[1] if len(lines) > 1 else None

    def has_begun(self):
        """Whether its process was started, or just about to be."""
        return self.read_state()[0] is not None

    def kill(self, number):
        """Signal the task and all that it started: the process group of its keeper."""
        began, _ = self.read_state()
        if began:
            try:
                os.killpg(began["pid"], number)
            except OSError:
                pass

    def kill_orphans(self):
        """The keeper is gone: end what it left. Its id in use again means that nothing of its group is left."""
        began, _ = self.read_state()
        if began and not is_alive(began["pid"]):
            self.kill(signal.SIGKILL)

    def remove_files(self):
        for path in (self.arguments_file, self.output_file, self.state):
            try:
                os.unlink(path)
            except OSError:
                pass


def is_alive(pid):
    """Whether a process runs; one that nobody reaped yet does not."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as stream:
            return stream.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False
