"""Writing to a disk that may be full: what is written is waited for, since whoever frees the disk wants it kept."""

import errno
import json
import os
import time

FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_RETRY_S = 0.5


def nothing():
    pass


def patiently(action, meanwhile=nothing):
    """The action's value, tried again while the disk is full; `meanwhile` is called between two attempts."""
    while True:
        try:
            return action()
        except OSError as error:
            if error.errno not in FULL:
                raise
        meanwhile()
        time.sleep(FULL_RETRY_S)


def write_all(descriptor, data, offset, meanwhile=nothing):
    """Bytes at a place of a file; what a full disk cut off is written again. Returns the offset behind them."""
    end = offset + len(data)
    while offset < end:
        rest = data[offset - end :]
        offset += patiently(lambda rest=rest, offset=offset: os.pwrite(descriptor, rest, offset), meanwhile)
    return end


def write_file(path, data, meanwhile=nothing):
    """A new file, or its new content; not synced."""
    descriptor = patiently(lambda: os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), meanwhile)
    try:
        write_all(descriptor, data, 0, meanwhile)
    finally:
        os.close(descriptor)


def write_atomically(path, value):
    """Replace a JSON file in one step, durably."""
    draft = path + ".tmp"

    def attempt():
        with open(draft, "w") as stream:
            stream.write(json.dumps(value))
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(draft, path)

    patiently(attempt)


def remove_folder(path):
    """Files and folder; what cannot be removed stays."""
    try:
        for name in os.listdir(path):
            os.unlink(os.path.join(path, name))
        os.rmdir(path)
    except OSError:
        pass
