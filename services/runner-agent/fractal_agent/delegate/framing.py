"""Messages on a pipe: a length in four bytes, big-endian, and so much JSON."""

import json
import struct

HEADER = struct.Struct(">I")
MAX_FRAME_BYTES = 256 * 1024 * 1024


def pack(message):
    data = json.dumps(message).encode("ascii")
    return HEADER.pack(len(data)) + data


def read(stream):
    """The next message; None at the end of the stream."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    (length,) = HEADER.unpack(header)
    if length > MAX_FRAME_BYTES:
        raise ValueError("a message of %d bytes is too long" % length)
    data = stream.read(length)
    return parse(data) if len(data) == length else None


def parse(data):
    return json.loads(data)
