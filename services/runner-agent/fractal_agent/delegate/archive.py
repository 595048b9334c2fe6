"""The zip of a job folder as a stream, complete although workers keep arguments and outputs in one file a batch."""

import io
import json
import os
import zipfile

CHUNK_BYTES = 256 * 1024


class Pipe(io.RawIOBase):
    """Takes what zipfile writes, and hands it on in chunks; there is no way back in it."""

    def __init__(self, send):
        self._send = send
        self._held = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self._held += data
        while len(self._held) >= CHUNK_BYTES:
            self._send(bytes(self._held[:CHUNK_BYTES]))
            del self._held[:CHUNK_BYTES]
        return len(data)

    def finish(self):
        self._send(bytes(self._held))
        self._held.clear()


def write(roots, folder, extra, send):
    """Returns the number of entries; `extra` are texts by name that count before files of that name."""
    pipe = Pipe(send)
    entries = 0
    root = roots.path(folder)
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(extra.items()):
            archive.writestr(name, text)
            entries += 1
        for path in files(root):
            name = os.path.relpath(path, root)
            if name in extra:
                continue
            try:
                with roots.open_own(path) as source, archive.open(zipfile.ZipInfo(name), "w") as target:
                    while True:
                        block = source.read(CHUNK_BYTES)
                        if not block:
                            break
                        target.write(block)
            except OSError:
                continue  # gone, or a link
            entries += 1
        for name, text in documents(roots, root):
            archive.writestr(name, text)
            entries += 1
    pipe.finish()
    return entries


def files(root):
    for folder, subfolders, names in os.walk(root):
        if folder == root and ".fractal" in subfolders:
            subfolders.remove(".fractal")
        subfolders.sort()
        for name in sorted(names):
            yield os.path.join(folder, name)


def documents(roots, root):
    """Arguments and outputs of every unit, under the names that people know."""
    hidden = os.path.join(root, ".fractal")
    for batch in sorted(os.listdir(hidden) if os.path.isdir(hidden) else []):
        try:
            with roots.open_own(os.path.join(hidden, batch, "spec.json")) as stream:
                spec = json.loads(stream.read())
            results = roots.open_own(os.path.join(hidden, batch, "results.jsonl"))
        except (OSError, ValueError):
            continue
        folder = os.path.basename(spec["folder"])
        names = {unit["index"]: unit["name"] for unit in spec["units"]}
        with results:
            for line in results:
                if not line.endswith(b"\n"):
                    break
                result = json.loads(line)
                prefix = "%s/%s" % (folder, names[result["index"]])
                yield prefix + "-args.json", json.dumps(result["args"])
                if result["output"] is not None:
                    yield prefix + "-metadiff.json", json.dumps(result["output"])
