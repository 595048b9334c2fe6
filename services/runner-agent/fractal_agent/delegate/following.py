"""What the workers of many batches have written since it was looked at last."""

import json
import os

MAX_READ_BYTES = 4 * 1024 * 1024
MAX_LINE_BYTES = 64 * 1024 * 1024
MAX_ERRORS_BYTES = 16 * 1024


def look(roots, batches):
    """For each `[directory, offset]`: new complete lines of its results, its end marker, its worker."""
    return [look_at(roots, directory, offset) for directory, offset in batches]


def look_at(roots, directory, offset):
    try:
        # In this order: results that were there before the end marker are never missed.
        end = document(roots, os.path.join(directory, "end.json"))
        worker = document(roots, os.path.join(directory, "worker.json"))
        lines = complete_lines(roots, os.path.join(directory, "results.jsonl"), offset)
    except Exception as error:
        return {"error": "%s: %s" % (type(error).__name__, error)}
    return {"lines": lines, "offset": offset + len(lines), "end": end, "worker": worker}


def complete_lines(roots, path, offset):
    try:
        with roots.open_own(path) as stream:
            stream.seek(offset)
            data = stream.read(MAX_READ_BYTES)
            while data and b"\n" not in data and len(data) < MAX_LINE_BYTES:
                more = stream.read(MAX_READ_BYTES)
                if not more:
                    return ""
                data += more
    except FileNotFoundError:
        return ""
    # The worker writes ASCII: characters are bytes.
    return data[: data.rfind(b"\n") + 1].decode("ascii", "replace")


def document(roots, path):
    try:
        with roots.open_own(path) as stream:
            return json.loads(stream.read(65536))
    except (FileNotFoundError, ValueError):
        return None


def errors(roots, path):
    """The end of what SLURM and the script wrote on standard error; empty if there is no such file."""
    try:
        with roots.open_own(path) as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - MAX_ERRORS_BYTES))
            return stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
