"""The whole embedded stack, as `make up` starts it, in a directory of its own."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.api import Api
from tests.processes import until

ADMIN = "admin@example.org"


@dataclass
class Embedded:
    home: Path
    environment: dict[str, str]

    def command(self, action: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "fractal_server.embedded", action]
        return subprocess.run(
            argv, cwd=self.home.parent, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )

    @property
    def url(self) -> str:
        return json.loads((self.home / "runtime.json").read_text())["url"]

    @property
    def password(self) -> str:
        return (self.home / "secrets" / "admin_password").read_text()

    def processes(self) -> dict[str, int]:
        return json.loads((self.home / "runtime.json").read_text())["processes"]

    def kill(self, name: str) -> None:
        """SIGKILL one part, and wait until the supervisor has started it again."""
        pid = self.processes()[name]
        os.kill(pid, signal.SIGKILL)
        until(lambda: self.processes().get(name) not in (None, pid), f"{name} is started again")

    def login(self, email: str = ADMIN, password: str | None = None) -> Api:
        return Api.login(self.url, email, password or self.password)
