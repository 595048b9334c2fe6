"""All units of a batch directory, as many at a time as the batch allows."""

import fcntl
import json
import os
import resource
import select
import signal
import time

from fractal_agent.worker.disk import patiently, remove_folder, write_atomically
from fractal_agent.worker.keeper import Keeper
from fractal_agent.worker.memory import killed_for_memory
from fractal_agent.worker.results import SHUTDOWN, Results, ended, failed, out_of_memory
from fractal_agent.worker.scratch import INTERRUPTED, incarnation, scratch
from fractal_agent.worker.unit import Unit
from fractal_agent.worker.watch import MemoryWatch

FORMAT_VERSION = 1
WAIT_S = 0.05
STOP_CHECK_S = 0.1
KILL_AFTER_S = 2.0
OUT_OF_MEMORY_S = 2.0
EXIT_BUSY = 3
SIGNAL_DELAY_S = 0.2
"""A scheduler that ends a job tells worker and tasks at once: by then we have heard of it too."""
LOCK_RETRY_S = 0.05
MAX_STARTS = 3
"""Of one unit: a keeper that dies before it has begun leaves it as it was."""


class Interrupted(Exception):
    """The scheduler ends the allocation, and nobody asked us to stop."""


class Batch:
    """Raises BlockingIOError if another worker has the batch, and has it still after so many seconds."""

    def __init__(self, directory, patience_s=0.0):
        self.directory = directory
        self._lock = take(os.path.join(directory, "worker.lock"), patience_s)
        self._about = {"pid": os.getpid(), "host": os.uname()[1], "started": time.time(), "allocation": incarnation()}
        self._introduce()
        with open(os.path.join(directory, "spec.json")) as stream:
            self.spec = json.load(stream)
        self._is_scheduled = bool(self.spec.get("scheduled"))
        self.units_directory = scratch(directory) if self._is_scheduled else os.path.join(directory, "units")
        for folder in (self.units_directory, self.spec["folder"]):
            patiently(lambda folder=folder: os.makedirs(folder, exist_ok=True))
        self.environment = dict(os.environ)
        self.environment.update(self.spec["env"])
        self._keepers = []
        self._waiting = []
        """Places of the units that are to be run, the next one last."""
        self._starts = {}
        self._adopted = []
        """Units under keepers of an earlier worker, or ended while there was none."""
        self._killed_for_memory = killed_for_memory()
        self._out_of_memory_until = 0.0
        self._stopping_since = None
        self._terminated = False
        self._stop_checked = 0.0
        self._interrupted = False
        limit_mb = self.spec.get("memory_per_unit_mb")
        self.watch = MemoryWatch(limit_mb * 1024) if limit_mb else None
        self._exceeded = {}
        """What units held that were ended for it, in kB, by index."""
        self.results = Results(
            os.path.join(directory, "results.jsonl"), self.spec.get("fsync_interval_s", 0.2), self.check_stop
        )

    def reap(self):
        """After the run: its keepers end by themselves."""
        for keeper in self._keepers:
            keeper.reap()

    def close(self):
        """In a forked copy: what would keep the worker alive in the eyes of others."""
        os.close(self._lock)
        self.results.close()

    def unit(self, place):
        """The unit at a place of the batch's list."""
        return Unit(place, self)

    def run(self):
        """Returns the status of the end marker."""
        signal.signal(signal.SIGTERM, self._on_term)
        argv, error = self._command()
        units = self.spec["units"]
        self._waiting = [place for place, unit in enumerate(units) if unit["index"] not in self.results.recorded]
        self._waiting.reverse()
        while self._waiting or self._running():
            self.check_stop()
            while self._waiting and (self._running() < self.spec["processes"] or self._stopping_since):
                self._begin(self._waiting.pop(), argv, error)
            self._collect()
            self._limit_memory()
            self.results.sync()
        self.results.sync(force=True)
        for keeper in self._keepers:
            keeper.close()
        remove_folder(self.units_directory)
        return "stopped" if self._stopping_since else "completed"

    def interrupt(self):
        """Keep the results of what ends well in the time that the scheduler leaves; the rest is not our failure."""
        self._interrupted = True
        deadline = time.monotonic() + KILL_AFTER_S
        self._signal(signal.SIGTERM)
        while self._running() and time.monotonic() < deadline:
            self._collect()
        self._signal(signal.SIGKILL)
        self.results.sync(force=True)
        self._introduce(interrupted=time.time())
        remove_folder(self.units_directory)

    def _introduce(self, **more):
        """Who runs the batch, for the agent; after `interrupted` there are no more results."""
        write_atomically(os.path.join(self.directory, "worker.json"), dict(self._about, **more))

    def _limit_memory(self):
        if self.watch is None:
            return
        running = {keeper.pid: keeper.unit for keeper in self._keepers if keeper.unit is not None}
        for unit in self._adopted:
            began, _ = unit.read_state()
            if began:
                running[began["pid"]] = unit
        for group, held_kb in self.watch.excess(running).items():
            self._exceeded[running[group].index] = held_kb
            running[group].kill(signal.SIGKILL)

    def _running(self):
        return len(self._adopted) + sum(keeper.unit is not None for keeper in self._keepers)

    def _command(self):
        argv = list(self.spec["command"])
        found = which(argv[0], self.environment.get("PATH", os.defpath))
        if found is None:
            return argv, 'Command "%s" is not valid. Hint: make sure that it is executable.' % argv[0]
        return [found] + argv[1:], None

    def _begin(self, place, argv, error):
        unit = self.unit(place)
        lock = unit.take_lock()
        if lock is None or (os.fstat(lock).st_size and unit.has_begun()):
            if lock is not None:
                os.close(lock)
            self._adopted.append(unit)
        elif self._stopping_since or error is not None:
            os.close(lock)
            cause = ("stopped", SHUTDOWN) if self._stopping_since else ("invalid_command", error)
            self._record(unit, failed(unit, *cause))
        else:
            keeper = self._keeper(argv)
            if not keeper.start(unit, place, lock):
                self._dismiss(keeper)
                self._begin(place, argv, error)

    def _keeper(self, argv):
        """One that has nothing to do."""
        for keeper in self._keepers:
            if keeper.unit is None:
                return keeper
        keeper = Keeper(self, argv, self._keepers)
        self._keepers.append(keeper)
        return keeper

    def _dismiss(self, keeper):
        keeper.reap()
        self._keepers.remove(keeper)

    def _collect(self):
        """Wait for a moment, and record the units that ended."""
        poll = select.poll()
        by_descriptor = {keeper.fileno(): keeper for keeper in self._keepers}
        for descriptor in by_descriptor:
            poll.register(descriptor, select.POLLIN)
        for descriptor, _ in poll.poll(WAIT_S * 1000):
            keeper = by_descriptor[descriptor]
            end = keeper.take_end()
            unit, keeper.unit = keeper.unit, None
            if end is None:
                self._dismiss(keeper)
            if unit is not None:
                self._conclude(unit, end)
        for unit in [unit for unit in self._adopted if not unit.is_running()]:
            self._adopted.remove(unit)
            self._conclude(unit)

    def _conclude(self, unit, end=None):
        """Its lock is free: record how it ended. One that has not even begun is run now.

        So it is if the last worker was killed while it forked: the new keeper has the lock, and nobody to tell it what
        to do. And so it is if a keeper is killed, for what its last task held, while it is handed the next.
        """
        end = end or unit.read_state()[1]
        starts = self._starts[unit.place] = self._starts.get(unit.place, 0) + 1
        if end is None and starts < MAX_STARTS and not unit.has_begun():
            self._waiting.append(unit.place)
        else:
            self._record(unit, self._result(unit, end))

    def _record(self, unit, result):
        if self._is_scheduled and (
            result["signal"] == signal.SIGTERM or result["exit_code"] == INTERRUPTED or result["cause"] == "lost"
        ):
            # If it is the scheduler that ends everything, it ends us as well, and its words are the cause.
            time.sleep(SIGNAL_DELAY_S)
            self.check_stop()
        if self._interrupted and result["status"] == "failed":
            return
        self.results.append(result)
        if result["cause"] in ("lost", "out_of_memory"):
            unit.kill_orphans()
        unit.remove_files()

    def _result(self, unit, end):
        if unit.index in self._exceeded:
            return out_of_memory(unit, self._exceeded[unit.index], self.watch.limit_kb)
        if end is not None:
            return ended(unit, end, self._stopping_since is not None, self._out_of_memory)
        if self._stopping_since:
            return failed(unit, "stopped", SHUTDOWN)
        if self._out_of_memory():
            return failed(unit, "out_of_memory", "The process was killed: it was out of memory.")
        if not unit.has_begun():
            return failed(unit, "lost", "The process could not be started: %d keepers died before." % MAX_STARTS)
        return failed(unit, "lost", "The process was lost: it ended without leaving its exit status.")

    def _out_of_memory(self):
        """Whether the kernel killed for want of memory just now; several units may ask about one moment."""
        before, self._killed_for_memory = self._killed_for_memory, killed_for_memory()
        if self._killed_for_memory > before:
            self._out_of_memory_until = time.monotonic() + OUT_OF_MEMORY_S
        return time.monotonic() < self._out_of_memory_until

    def _on_term(self, number, frame):
        self._terminated = True

    def check_stop(self):
        """Take notice of a stop; end what does not end by itself."""
        now = time.monotonic()
        if self._stopping_since is None:
            if now - self._stop_checked < STOP_CHECK_S and not self._terminated:
                return
            self._stop_checked = now
            if not self._terminated and not os.path.exists(os.path.join(self.directory, "stop")):
                return
            if self._is_scheduled and not os.path.exists(os.path.join(self.directory, "stop")):
                if self._interrupted:
                    return
                raise Interrupted
            self._stopping_since = now
            self._signal(signal.SIGTERM)
        elif now - self._stopping_since > KILL_AFTER_S:
            self._signal(signal.SIGKILL)

    def _signal(self, number):
        for unit in self._adopted + [keeper.unit for keeper in self._keepers if keeper.unit is not None]:
            unit.kill(number)


def take(path, patience_s):
    """A descriptor that holds the lock of a file."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise
        time.sleep(LOCK_RETRY_S)


def which(command, path):
    """Where the command is; None if it is nowhere or not executable. Small, for every keeper is a copy of us."""
    candidates = [command] if os.path.dirname(command) else [os.path.join(one, command) for one in path.split(":")]
    return next((one for one in candidates if os.path.isfile(one) and os.access(one, os.X_OK)), None)


def main(directory, patience_s=0.0):
    """Exit status: 0 when the batch has its end marker, 3 if another worker has the batch."""
    try:
        batch = Batch(directory, patience_s)
    except BlockingIOError:
        return EXIT_BUSY
    try:
        status = batch.run()
    except Interrupted:
        batch.interrupt()
        return INTERRUPTED
    write_atomically(
        os.path.join(directory, "end.json"),
        {
            "version": FORMAT_VERSION,
            "status": status,
            "finished": len(batch.results.recorded),
            "time": time.time(),
            "cpu_s": round(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]), 3),
            "peak_memory_kb": batch.watch.peak_kb if batch.watch else None,
        },
    )
    batch.reap()
    return 0
