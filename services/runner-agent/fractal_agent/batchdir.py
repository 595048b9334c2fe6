"""The directory of a batch, as the agent sees it: what to run, what was run, and whether a worker lives."""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fractal_common.messages import UnitOutcome

MAX_READ_BYTES = 4 * 1024 * 1024


def write_json(file: Path, value: Any) -> None:
    """Replace a file in one step, durably."""
    draft = file.with_name(file.name + ".tmp")
    with draft.open("w") as stream:
        json.dump(value, stream)
        stream.flush()
        os.fsync(stream.fileno())
    draft.rename(file)


class BatchDirectory:
    """`{working_dir}/.fractal/{batch}/`, shared with the worker; see the package `worker` for what each file means."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def exists(self) -> bool:
        return (self.path / "spec.json").exists()

    def create(self, spec: Mapping[str, Any]) -> None:
        """Write the spec; idempotent. The batch can be run from the moment that this returns."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not self.exists:
            write_json(self.path / "spec.json", spec)

    def is_worker_alive(self) -> bool:
        """A living worker holds a lock, which cannot outlive it: no process id is trusted."""
        try:
            descriptor = os.open(self.path / "worker.lock", os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def worker_pid(self) -> int | None:
        """Process id of the worker that took the lock last, on its own host; None before the first."""
        try:
            return int(json.loads((self.path / "worker.json").read_text())["pid"])
        except (OSError, ValueError, KeyError):
            return None

    def read_results(self, offset: int) -> tuple[list[UnitOutcome], int]:
        """Results recorded since `offset` (bytes), and the offset behind them; a line in the making is left."""
        try:
            with (self.path / "results.jsonl").open("rb") as stream:
                stream.seek(offset)
                data = stream.read(MAX_READ_BYTES)
                while data and b"\n" not in data:
                    more = stream.read(MAX_READ_BYTES)
                    if not more:
                        return [], offset
                    data += more
        except FileNotFoundError:
            return [], offset
        complete = data[: data.rfind(b"\n") + 1]
        outcomes = [UnitOutcome.model_validate_json(line) for line in complete.splitlines()]
        return outcomes, offset + len(complete)

    def end(self) -> dict[str, Any] | None:
        """The end marker: `status` is `completed` or `stopped`, `finished` the number of results."""
        try:
            return json.loads((self.path / "end.json").read_text())
        except FileNotFoundError:
            return None

    def request_stop(self) -> None:
        """Ask the worker, the present one or the next, to end; idempotent."""
        (self.path / "stop").touch()
