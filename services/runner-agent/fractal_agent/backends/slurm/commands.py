"""SLURM's commands that ask, run as the agent; those that change something run as the user, in a delegate."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass

from fractal_common.telemetry import get_logger

from fractal_agent.backends.slurm.limits import TokenBucket
from fractal_agent.backends.slurm.script import exports_of

log = get_logger(__name__)

PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Answer:
    """Status is None if the command did not end in time."""

    status: int | None
    stdout: str
    stderr: str

    @property
    def is_good(self) -> bool:
        return self.status == 0


class SlurmCommands:
    """Every command of the agent goes through one bucket, whoever wants it."""

    def __init__(self, *, rate_per_s: float, burst: int, timeout_s: float, path: str | None = None) -> None:
        self.bucket = TokenBucket(rate_per_s, burst)
        self.timeout_s = timeout_s
        self._environment: Mapping[str, str] = {
            **exports_of(os.environ),
            "PATH": path or os.environ.get("PATH", PATH),
            # Without this, long lists of array elements are cut off.
            "SLURM_BITSTR_LEN": "0",
            "SLURM_TIME_FORMAT": "standard",
        }

    async def run(self, *argv: str) -> Answer:
        """Never raises: what cannot be run has an answer that is not good."""
        await self.bucket.take()
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._environment,
                cwd="/",
            )
        except OSError as error:
            return Answer(127, "", str(error))
        try:
            stdout, stderr = await asyncio.wait_for(process.communicate(), self.timeout_s)
        except TimeoutError:
            log.warning("slurm.timeout", command=argv[0], timeout_s=self.timeout_s)
            return Answer(None, "", f"no answer within {self.timeout_s} s")
        finally:
            if process.returncode is None:
                process.kill()
        return Answer(process.returncode, stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace"))
