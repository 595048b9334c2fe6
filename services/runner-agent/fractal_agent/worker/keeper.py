"""Runs one task after the other, and outlives the worker that it was forked from."""

import json
import os
import signal
import socket
import struct
import sys
import time

from fractal_agent.worker.disk import patiently, write_all, write_file
from fractal_agent.worker.watch import more_likely_killed

MAX_MESSAGE_BYTES = 65536
ORDER = struct.Struct("q")
DESCRIPTOR = struct.Struct("i")
DEFAULT_SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]
"""For tasks: keepers ignore the first, and a shell that starts something in the background the others."""


class Keeper:
    """The worker's end: a forked process, and the unit that it runs now."""

    def __init__(self, batch, argv, others):
        """Fork; `others` are keepers whose connections are not for this one."""
        self.unit = None
        self._connection, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                self._connection.close()
                for other in others:
                    other.close()
                batch.close()
                keep(theirs, batch, argv)
                code = 0
            except Exception:
                sys.excepthook(*sys.exc_info())
            finally:
                os._exit(code)
        theirs.close()

    def fileno(self):
        return self._connection.fileno()

    def close(self):
        self._connection.close()

    def start(self, unit, place, lock):
        """Hand over a unit: where it stands in the batch, and its lock. Returns whether the keeper was there."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, DESCRIPTOR.pack(lock))]
        try:
            self._connection.sendmsg([ORDER.pack(place)], rights)
        except OSError:
            return False
        finally:
            os.close(lock)  # ours; the message has its own
        self.unit = unit
        return True

    def take_end(self):
        """How its unit ended; None if the keeper has died. To be called when there is something to read."""
        data = b""
        try:
            while not data.endswith(b"\n"):
                more = self._connection.recv(MAX_MESSAGE_BYTES)
                if not more:
                    return None
                data += more
        except OSError:
            return None
        return json.loads(data)

    def reap(self):
        """After it has died, or was let go: no zombie stays."""
        self.close()
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass


def keep(connection, batch, argv):
    """In the keeper: units until the worker closes the connection, or dies."""
    os.setsid()
    if batch.watch is not None:
        more_likely_killed()
    # A stop is for the task: the keeper stays to tell how it ended.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if batch.spec.get("cwd"):
        os.chdir(batch.spec["cwd"])
    devnull = os.open(os.devnull, os.O_RDONLY)
    while True:
        try:
            order, ancillary, _, _ = connection.recvmsg(ORDER.size, socket.CMSG_SPACE(DESCRIPTOR.size))
        except ConnectionResetError:
            return  # the worker died before it had read how our last unit ended
        if not order:
            return
        (lock,) = DESCRIPTOR.unpack(ancillary[0][2])
        line = run(batch.unit(ORDER.unpack(order)[0]), lock, devnull, argv, batch.environment)
        os.close(lock)
        try:
            connection.sendall(line)
        except OSError:
            return  # the worker is gone; the next one reads the unit's file


def run(unit, lock, devnull, argv, environment):
    """Run one unit; the line that tells how it ended is in its file when this returns."""
    os.set_inheritable(lock, False)
    write_file(unit.arguments_file, json.dumps(unit.arguments).encode())
    try:
        os.unlink(unit.output_file)
    except OSError:
        pass
    log = patiently(lambda: os.open(unit.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644))
    began = time.time()
    os.ftruncate(lock, 0)  # another keeper may have been killed in the middle of this line
    offset = write_all(lock, (json.dumps({"pid": os.getpid(), "time": began}) + "\n").encode(), 0)
    actions = [(os.POSIX_SPAWN_DUP2, devnull, 0), (os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
    full = argv + ["--args-json", unit.arguments_file, "--out-json", unit.output_file]
    document = {"started": began}
    start = time.monotonic()
    try:
        task = os.posix_spawn(
            full[0], full, environment, file_actions=actions, setsigmask=(), setsigdef=DEFAULT_SIGNALS
        )
        _, status, usage = os.wait4(task, 0)
        document.update(
            status=status,
            max_rss_kb=usage.ru_maxrss,
            wall_s=round(time.monotonic() - start, 6),
            cpu_s=round(usage.ru_utime + usage.ru_stime, 6),
        )
    except OSError as error:
        document["error"] = str(error)
    os.close(log)
    line = (json.dumps(document) + "\n").encode()
    write_all(lock, line, offset)
    return line
