"""Commands of an activity, run without a shell, with everything they print in the activity's log."""

import asyncio
import os
import shlex
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

PROGRESS_INTERVAL_S = 0.5
MAX_LOG_CHARACTERS = 1_000_000

Report = Callable[[str], Awaitable[None]]


class StepError(Exception):
    """An activity cannot go on; the message ends its log."""


class ActivityLog:
    """Grows line by line; reported at most twice a second, and at every checkpoint."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._lines: list[str] = []
        self._reported = 0.0

    @property
    def text(self) -> str:
        return "".join(self._lines)[-MAX_LOG_CHARACTERS:]

    async def write(self, text: str, *, checkpoint: bool = False) -> None:
        stamp = f"{datetime.now():%Y-%m-%d %H:%M:%S,%f}"[:-3]
        self._lines.append(f"{stamp} - task_group_activity - DEBUG - {text}\n")
        if checkpoint or time.monotonic() - self._reported > PROGRESS_INTERVAL_S:
            self._reported = time.monotonic()
            await self._report(self.text)


class Steps:
    """Runs commands one after the other, and keeps a record of each beside the environment."""

    def __init__(self, log: ActivityLog, scripts: Path, action: str, lock: int | None = None) -> None:
        """`lock`: a locked file's descriptor, which every command holds as well, for as long as it lives."""
        self._log = log
        self._locks = () if lock is None else (lock,)
        self._scripts = scripts
        self._prefix = f"{int(time.time())}_{action}"
        self._count = 0

    async def run(self, name: str, argv: list[str], *, environment: dict[str, str] | None = None) -> str:
        """Standard output.

        Raises:
            StepError: the command failed; what it printed is in the log.
        """
        self._count += 1
        self._scripts.mkdir(parents=True, exist_ok=True)
        record = self._scripts / f"{self._prefix}_{self._count}_{name}.sh"
        record.write_text(f"#!/bin/sh\n# What was run, for people: nothing reads this file.\n{shlex.join(argv)}\n")
        await self._log.write(f"{name} - start: {shlex.join(argv)}", checkpoint=True)
        process = await asyncio.create_subprocess_exec(
            *argv,
            env={**_environment(), **(environment or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
            pass_fds=self._locks,
        )
        try:
            output, _ = await asyncio.gather(self._follow(process.stdout, keep=True), self._follow(process.stderr))
            status = await process.wait()
        except asyncio.CancelledError:
            process.kill()
            raise
        if status:
            raise StepError(f"{name} failed with exit code {status}.")
        await self._log.write(f"{name} - end", checkpoint=True)
        return output

    async def _follow(self, stream: asyncio.StreamReader | None, *, keep: bool = False) -> str:
        kept: list[str] = []
        while stream is not None and (line := await stream.readline()):
            text = line.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}").rstrip("\n")
            if keep:
                kept.append(text)
            await self._log.write(text)
        return "\n".join(kept)


def uv() -> str:
    """The installer, beside our interpreter or on the path."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise StepError("The program `uv` was not found beside the agent's interpreter, nor on the PATH.")
    return found


def _environment() -> dict[str, str]:
    """Ours, less secrets and less the agent's own virtual environment; pip's settings serve uv as well."""
    hidden = ("POSTGRES_", "JWT_", "FRACTAL_NATS_", "VIRTUAL_ENV", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    for pip_name, uv_name in (
        ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
        ("PIP_FIND_LINKS", "UV_FIND_LINKS"),
    ):
        if pip_name in environment:
            environment.setdefault(uv_name, environment[pip_name])
    return environment
