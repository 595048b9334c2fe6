"""Runs the units of one batch inside its allocation; started as `python -I -S worker.py BATCH_DIRECTORY`.

Standard library only, Python 3.8 or newer: it runs with whatever interpreter the cluster has.

The loss path that this file closes: the worker may be killed at any line while its tasks go on, and is then started
again on the same directory. Each unit is therefore run by a keeper, a forked copy of this process in a session of its
own that survives the worker:

    worker  takes the unit's lock, forks the keeper (which inherits the lock), goes on
    keeper  writes `started`, runs the task, waits for it, writes `status` (exit status, memory, times), exits

A worker that starts again finds for every unit without a result one of: lock held (still running: wait), `status`
there (finished: record it), `started` alone (its keeper was killed with it: lost, never silently run again), or nothing
(run it). `results.jsonl` is appended before the unit's files are removed, so a result is never lost nor recorded twice.
"""

import errno
import fcntl
import json
import os
import resource
import signal
import sys
import time

FORMAT_VERSION = 1
WAIT_S = 0.05
STOP_CHECK_S = 0.1
KILL_AFTER_S = 2.0
MAX_ERROR_CHARACTERS = 100_000
MAX_OUTPUT_BYTES = 20 * 1024 * 1024
SHUTDOWN = "Failed due to job-execution shutdown."
EXIT_BUSY = 3


class NotFinite(ValueError):
    """The output has NaN or an infinity, which JSON does not know."""


def write_atomically(path, value):
    """Replace a JSON file in one step, durably."""
    draft = path + ".tmp"
    with open(draft, "w") as stream:
        stream.write(json.dumps(value))
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(draft, path)


def refuse_constant(name):
    raise NotFinite(name + " is not valid JSON")


class Results:
    """The append-only `results.jsonl`: one line a finished unit, synced in groups."""

    def __init__(self, path, interval_s):
        self.interval_s = interval_s
        self.recorded = set()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._synced = time.monotonic()
        self._dirty = False
        self._recover(path)

    def _recover(self, path):
        """Read what an earlier worker recorded, and cut off a line that it did not finish."""
        end = 0
        with open(path, "rb") as stream:
            for line in stream:
                if not line.endswith(b"\n"):
                    break
                self.recorded.add(json.loads(line)["index"])
                end += len(line)
        os.ftruncate(self._descriptor, end)
        os.lseek(self._descriptor, end, os.SEEK_SET)

    def append(self, result):
        data = (json.dumps(result) + "\n").encode("ascii")
        while data:
            data = data[os.write(self._descriptor, data) :]
        self.recorded.add(result["index"])
        self._dirty = True

    def sync(self, force=False):
        if self._dirty and (force or time.monotonic() - self._synced >= self.interval_s):
            os.fdatasync(self._descriptor)
            self._synced = time.monotonic()
            self._dirty = False


class Unit:
    """One process: its files, its lock, and what became of it."""

    def __init__(self, spec, batch):
        self.index = spec["index"]
        self.spec = spec
        self.batch = batch
        self.base = os.path.join(batch.units_directory, str(self.index))
        self.log = os.path.join(batch.spec["folder"], spec["name"] + "-log.txt")
        self.lock = -1
        self.keeper = None
        """Process id of the keeper, if it is our own child."""

    @property
    def arguments(self):
        merged = dict(self.spec["before"])
        merged.update(self.batch.spec["common"])
        merged.update(self.spec["after"])
        return merged

    def take_lock(self):
        """Whether nobody runs this unit; the lock then stays open in us."""
        descriptor = os.open(self.base + ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            raise
        self.lock = descriptor
        return True

    def release_lock(self):
        """Close our copy; the lock itself lives as long as the keeper's."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1

    def read(self, name):
        try:
            with open(self.base + name) as stream:
                return json.load(stream)
        except (OSError, ValueError):
            return None

    def remove_files(self):
        for name in (".started", ".status", ".args.json", ".out.json", ".lock"):
            try:
                os.unlink(self.base + name)
            except OSError:
                pass

    def fork_keeper(self, argv, environment):
        """Start the task under a keeper; the caller holds the lock."""
        with open(self.base + ".args.json", "w") as stream:
            stream.write(json.dumps(self.arguments))
        try:
            os.unlink(self.base + ".out.json")
        except OSError:
            pass
        full = argv + ["--args-json", self.base + ".args.json", "--out-json", self.base + ".out.json"]
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                self._keep(full, environment)
                code = 0
            finally:
                os._exit(code)
        self.release_lock()
        self.keeper = pid

    def _keep(self, argv, environment):
        """In the keeper: run the task in the foreground and write down how it ended."""
        os.setsid()
        # A stop is for the task: the keeper stays to tell how it ended.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.close(self.batch.lock)
        begun = time.time()
        with open(self.base + ".started", "w") as stream:
            stream.write(json.dumps({"pid": os.getpid(), "time": begun}))
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        devnull = os.open(os.devnull, os.O_RDONLY)
        actions = [(os.POSIX_SPAWN_DUP2, devnull, 0), (os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
        if self.batch.spec.get("cwd"):
            os.chdir(self.batch.spec["cwd"])
        start = time.monotonic()
        document = {"started": begun}
        try:
            task = os.posix_spawn(
                argv[0], argv, environment, file_actions=actions, setsigmask=(), setsigdef=[signal.SIGTERM]
            )
            _, status, usage = os.wait4(task, 0)
            document.update(status=status, max_rss_kb=usage.ru_maxrss, wall_s=round(time.monotonic() - start, 6))
        except OSError as error:
            document["error"] = str(error)
        os.close(log)
        with open(self.base + ".status.tmp", "w") as stream:
            stream.write(json.dumps(document))
        os.rename(self.base + ".status.tmp", self.base + ".status")

    def kill(self, number):
        """Signal the task and all that it started: the keeper's process group."""
        started = self.read(".started")
        if started:
            try:
                os.killpg(started["pid"], number)
            except OSError:
                pass

    def kill_orphans(self):
        """The keeper is gone: end what it left. Its id in use again means that nothing of its group is left."""
        started = self.read(".started")
        if started and not is_alive(started["pid"]):
            self.kill(signal.SIGKILL)


class Batch:
    """All units of the batch directory, at most `processes` of them at a time."""

    def __init__(self, directory):
        self.directory = directory
        self.lock = os.open(os.path.join(directory, "worker.lock"), os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_atomically(
            os.path.join(directory, "worker.json"),
            {"pid": os.getpid(), "host": os.uname()[1], "started": time.time()},
        )
        with open(os.path.join(directory, "spec.json")) as stream:
            self.spec = json.load(stream)
        self.units_directory = os.path.join(directory, "units")
        os.makedirs(self.units_directory, exist_ok=True)
        os.makedirs(self.spec["folder"], exist_ok=True)
        self.results = Results(os.path.join(directory, "results.jsonl"), self.spec.get("fsync_interval_s", 0.2))
        self.environment = dict(os.environ)
        self.environment.update(self.spec["env"])
        self.running = []
        self.stopping_since = None
        self.terminated = False
        self._stop_checked = 0.0

    def run(self):
        """Returns the status of the end marker."""
        signal.signal(signal.SIGTERM, self._on_term)
        # Blocked and waited for: a child that ends at any moment wakes the loop, none is missed.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        argv, error = self._command()
        waiting = [unit for unit in self.spec["units"] if unit["index"] not in self.results.recorded]
        waiting.reverse()
        while waiting or self.running:
            self._check_stop()
            while waiting and (len(self.running) < self.spec["processes"] or self.stopping_since):
                self._begin(Unit(waiting.pop(), self), argv, error)
            if not self._collect():
                signal.sigtimedwait({signal.SIGCHLD}, WAIT_S)
            self.results.sync()
        self.results.sync(force=True)
        remove_folder(self.units_directory)
        return "stopped" if self.stopping_since else "completed"

    def _command(self):
        argv = list(self.spec["command"])
        found = which(argv[0], self.environment.get("PATH", os.defpath))
        if found is None:
            return argv, 'Command "%s" is not valid. Hint: make sure that it is executable.' % argv[0]
        return [found] + argv[1:], None

    def _begin(self, unit, argv, error):
        if not unit.take_lock():
            self.running.append(unit)  # started by an earlier worker, still going
        elif unit.read(".status") or os.path.exists(unit.base + ".started"):
            unit.release_lock()
            self.running.append(unit)  # ended while nobody looked
        elif self.stopping_since:
            unit.release_lock()
            self._record(unit, failed(unit, "stopped", SHUTDOWN))
        elif error is not None:
            unit.release_lock()
            self._record(unit, failed(unit, "invalid_command", error))
        else:
            unit.fork_keeper(argv, self.environment)
            self.running.append(unit)

    def _collect(self):
        """Record the units that ended; whether there were any."""
        reaped = reap_children()
        still = []
        ended = 0
        for unit in self.running:
            if unit.keeper is not None and unit.keeper not in reaped:
                still.append(unit)
                continue
            status = unit.read(".status")
            if status is None and not unit.take_lock():
                still.append(unit)
                continue
            unit.release_lock()
            ended += 1
            status = status or unit.read(".status")
            self._record(unit, self._result(unit, status))
        self.running = still
        return ended

    def _record(self, unit, result):
        self.results.append(result)
        if result["cause"] == "lost":
            unit.kill_orphans()
        unit.remove_files()

    def _result(self, unit, status):
        if status is None:
            if self.stopping_since:
                return failed(unit, "stopped", SHUTDOWN)
            return failed(unit, "lost", "The process was lost: it ended without leaving its exit status.")
        if "error" in status:
            return failed(unit, "invalid_command", "Invalid command. Original error: " + status["error"])
        result = failed(unit, None, None)
        result.update({name: status[name] for name in ("started", "wall_s", "max_rss_kb")})
        result["has_warnings"] = contains_warning(unit.log)
        wait_status = status["status"]
        if os.WIFSIGNALED(wait_status):
            result["signal"] = os.WTERMSIG(wait_status)
            code = -result["signal"]
        else:
            code = os.WEXITSTATUS(wait_status)
        result["exit_code"] = code
        if code and self.stopping_since:
            result.update(cause="stopped", error=SHUTDOWN)
        elif code:
            result.update(cause="signal" if code < 0 else "exit_code", error=process_error(code, unit.log))
        else:
            self._read_output(unit, result)
        return result

    def _read_output(self, unit, result):
        path = unit.base + ".out.json"
        try:
            size = os.path.getsize(path)
        except OSError:
            result["status"] = "done"
            return
        if size > MAX_OUTPUT_BYTES:
            text = "The task's output has %d bytes; at most %d are accepted." % (size, MAX_OUTPUT_BYTES)
            result.update(cause="output_too_large", error=text)
            return
        try:
            with open(path, "rb") as stream:
                result["output"] = json.loads(stream.read().decode("utf-8"), parse_constant=refuse_constant)
            result["status"] = "done"
        except ValueError as error:
            result.update(cause="invalid_output", error=str(error))

    def _on_term(self, number, frame):
        self.terminated = True

    def _check_stop(self):
        now = time.monotonic()
        if self.stopping_since is None:
            if now - self._stop_checked < STOP_CHECK_S and not self.terminated:
                return
            self._stop_checked = now
            if not self.terminated and not os.path.exists(os.path.join(self.directory, "stop")):
                return
            self.stopping_since = now
            for unit in self.running:
                unit.kill(signal.SIGTERM)
        elif now - self.stopping_since > KILL_AFTER_S:
            for unit in self.running:
                unit.kill(signal.SIGKILL)


def which(command, path):
    """Where the command is; None if it is nowhere or not executable. Small, for every unit forks a copy of us."""
    candidates = [command] if os.path.dirname(command) else [os.path.join(one, command) for one in path.split(":")]
    return next((one for one in candidates if os.path.isfile(one) and os.access(one, os.X_OK)), None)


def remove_folder(path):
    """Files and folder; what cannot be removed stays."""
    try:
        for name in os.listdir(path):
            os.unlink(os.path.join(path, name))
        os.rmdir(path)
    except OSError:
        pass


def is_alive(pid):
    """Whether a process runs; one that nobody reaped yet does not."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as stream:
            return stream.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def reap_children():
    """Process ids of our children that ended since the last call."""
    ended = set()
    try:
        while True:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return ended
            ended.add(pid)
    except ChildProcessError:
        return ended


def failed(unit, cause, error):
    """A result with every key; `done` units overwrite what differs."""
    return {
        "index": unit.index,
        "status": "failed",
        "cause": cause,
        "error": error,
        "exit_code": None,
        "signal": None,
        "output": None,
        "args": unit.arguments,
        "has_warnings": False,
        "started": None,
        "wall_s": None,
        "max_rss_kb": None,
    }


def process_error(code, log):
    """The text that clients know, with the whole log unless that is too long."""
    try:
        with open(log, "rb") as stream:
            data = stream.read(4 * MAX_ERROR_CHARACTERS + 1)
            size = os.fstat(stream.fileno()).st_size
    except OSError:
        data, size = b"", 0
    text = data.decode("utf-8", "replace").replace("\0", "\ufffd")
    if size > len(data) or len(text) > MAX_ERROR_CHARACTERS:
        length = size if size > len(data) else len(text)
        text = (
            "Cannot display stderr of length %d. You can find the detailed logs by downloading the job-log folder."
            % length
        )
    return "Task failed with returncode=%d.\nSTDERR: %s" % (code, text)


def contains_warning(path):
    """Case-insensitive search in constant memory."""
    word = b"warning"
    tail = b""
    try:
        with open(path, "rb") as stream:
            while True:
                block = stream.read(1 << 20)
                if not block:
                    return False
                if word in (tail + block).lower():
                    return True
                tail = block[-len(word) :]
    except OSError:
        return False


def main(directory):
    try:
        batch = Batch(directory)
    except BlockingIOError:
        return EXIT_BUSY
    status = batch.run()
    write_atomically(
        os.path.join(directory, "end.json"),
        {
            "version": FORMAT_VERSION,
            "status": status,
            "finished": len(batch.results.recorded),
            "time": time.time(),
            "cpu_s": round(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]), 3),
        },
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
