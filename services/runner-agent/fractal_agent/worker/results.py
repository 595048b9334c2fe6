"""What became of the units: the file of results, and the texts of failures."""

import json
import os
import time

from fractal_agent.worker.disk import nothing, write_all

MAX_ERROR_CHARACTERS = 100_000
MAX_OUTPUT_BYTES = 20 * 1024 * 1024
SHUTDOWN = "Failed due to job-execution shutdown."


class NotFinite(ValueError):
    """The output has NaN or an infinity, which JSON does not know."""


class Results:
    """The append-only `results.jsonl`: one line a finished unit, synced in groups."""

    def __init__(self, path, interval_s, meanwhile=nothing):
        self.interval_s = interval_s
        self.recorded = set()
        self._meanwhile = meanwhile
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._synced = time.monotonic()
        self._dirty = False
        self._end = self._recover(path)

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
        return end

    def append(self, result):
        data = (json.dumps(result) + "\n").encode("ascii")
        self._end = write_all(self._descriptor, data, self._end, self._meanwhile)
        self.recorded.add(result["index"])
        self._dirty = True

    def sync(self, force=False):
        if self._dirty and (force or time.monotonic() - self._synced >= self.interval_s):
            os.fdatasync(self._descriptor)
            self._synced = time.monotonic()
            self._dirty = False

    def close(self):
        os.close(self._descriptor)


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
        "cpu_s": None,
    }


def out_of_memory(unit, held_kb, limit_kb):
    """The result of a unit that was ended because it held more than its share."""
    result = failed(unit, "out_of_memory", None)
    text = "Out of memory: this process held %d MB, and %d MB are asked for (`mem`)." % (
        held_kb // 1024,
        limit_kb // 1024,
    )
    result.update(error=text + "\n" + process_error(-9, unit.log), signal=9, exit_code=-9, max_rss_kb=held_kb)
    return result


def ended(unit, end, stopping, was_out_of_memory):
    """The result of a process that ran, from its keeper's last line.

    `was_out_of_memory` is asked about a task that was killed: whether the kernel did it for want of memory.
    """
    if "error" in end:
        return failed(unit, "invalid_command", "Invalid command. Original error: " + end["error"])
    result = failed(unit, None, None)
    result.update({name: end.get(name) for name in ("started", "wall_s", "max_rss_kb", "cpu_s")})
    result["has_warnings"] = contains_warning(unit.log)
    status = end["status"]
    if os.WIFSIGNALED(status):
        result["signal"] = os.WTERMSIG(status)
        code = -result["signal"]
    else:
        code = os.WEXITSTATUS(status)
    result["exit_code"] = code
    if not code:
        read_output(unit, result)
    elif stopping:
        result.update(cause="stopped", error=SHUTDOWN)
    else:
        cause = "signal" if code < 0 else "exit_code"
        # A shell between us and the task tells a killed child by 128 + 9.
        if code in (-9, 137) and was_out_of_memory():
            cause = "out_of_memory"
        result.update(cause=cause, error=process_error(code, unit.log))
    return result


def refuse_constant(name):
    raise NotFinite(name + " is not valid JSON")


def read_output(unit, result):
    try:
        size = os.path.getsize(unit.output_file)
    except OSError:
        result["status"] = "done"
        return
    if size > MAX_OUTPUT_BYTES:
        text = "The task's output has %d bytes; at most %d are accepted." % (size, MAX_OUTPUT_BYTES)
        result.update(cause="output_too_large", error=text)
        return
    try:
        with open(unit.output_file, "rb") as stream:
            result["output"] = json.loads(stream.read().decode("utf-8"), parse_constant=refuse_constant)
        result["status"] = "done"
    except ValueError as error:
        result.update(cause="invalid_output", error=str(error))


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
        with open(path, "rb", buffering=0) as stream:
            while True:
                block = stream.read(1 << 20)
                if not block:
                    return False
                if word in (tail + block).lower():
                    return True
                tail = block[-len(word) :]
    except OSError:
        return False
