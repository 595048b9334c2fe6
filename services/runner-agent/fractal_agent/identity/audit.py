"""Who, what, when, why: one line for everything that is done, or refused, in the name of a user."""

import json
import os
import pwd
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from fractal_common.telemetry import get_logger

log = get_logger("audit")


class AuditLog:
    """Appends to a file that only the agent reads, and logs the same."""

    def __init__(self, file: Path) -> None:
        self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._agent = account_name(os.geteuid())

    def record(self, what: str, *, user: str | None, why: str, command: Sequence[str] = (), refused: str = "") -> None:
        """`why` names the job and batch; `command` is the argument list, as it was given to the system."""
        entry = {
            "when": datetime.now(UTC).isoformat(),
            "who": self._agent,
            "as": user or self._agent,
            "what": what,
            "why": why,
        }
        if command:
            entry["command"] = json.dumps(list(command))
        if refused:
            entry["refused"] = refused
        os.write(self._descriptor, (json.dumps(entry) + "\n").encode())
        if refused:
            log.warning("audit.refused", **entry)
        else:
            log.info("audit", **entry)


def account_name(uid: int) -> str:
    """Its number where it has no name, as that of a container's user."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
