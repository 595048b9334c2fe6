"""What runs elsewhere than the agent, as one file each.

`python -m fractal_agent.packing delegate /usr/local/libexec/fractal-delegate`
"""

import hashlib
import io
import os
import sys
import zipfile
from functools import cache
from importlib.resources import files
from pathlib import Path

ENTRIES = {"delegate": "fractal_agent.delegate.service", "worker": "fractal_agent.worker.allocation"}
SHEBANG = b"#!/usr/bin/python3 -IS\n"
EPOCH = (1980, 1, 1, 0, 0, 0)


@cache
def pack(name: str) -> bytes:
    """A package that needs the standard library alone, as a zip that Python runs; the same bytes for the same code."""
    written = io.BytesIO()
    written.write(SHEBANG)
    start = f"from {ENTRIES[name]} import main\n\nmain()\n"
    with zipfile.ZipFile(written, "a", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "__main__.py", start.encode())
        _add(archive, "fractal_agent/__init__.py", b"")
        folder = Path(str(files("fractal_agent").joinpath(name)))
        for file in sorted(folder.glob("*.py")):
            _add(archive, f"fractal_agent/{name}/{file.name}", file.read_bytes())
    return written.getvalue()


def fingerprint(name: str) -> str:
    return hashlib.sha256(pack(name)).hexdigest()[:16]


def install(name: str, target: Path) -> None:
    """Replace a file in one step: owned by whoever calls, executable and readable for all."""
    draft = target.with_name(f".{target.name}.new")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft.write_bytes(pack(name))
    draft.chmod(0o755)
    draft.replace(target)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[1] not in ENTRIES:
        raise SystemExit(f"usage: python -m fractal_agent.packing {'|'.join(ENTRIES)} FILE")
    os.umask(0o022)
    install(sys.argv[1], Path(sys.argv[2]))


if __name__ == "__main__":
    main()
