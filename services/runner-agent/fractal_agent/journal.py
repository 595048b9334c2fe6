"""The agent's memory: one small file a running batch, on the cluster's own file system."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from fractal_agent.batchdir import BatchDirectory, write_json


@dataclass(frozen=True)
class Entry:
    """A batch that has not been reported as finished."""

    batch: str
    job_id: int
    directory: str
    units: int

    @property
    def batch_directory(self) -> BatchDirectory:
        return BatchDirectory(Path(self.directory))


class Journal:
    """Written before a batch starts and removed after its end has been published: a restart re-attaches all."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / "batches"
        self.folder.mkdir(parents=True, exist_ok=True)

    def add(self, entry: Entry) -> None:
        write_json(self._file(entry.batch), asdict(entry))

    def remove(self, batch: str) -> None:
        self._file(batch).unlink(missing_ok=True)

    def entries(self) -> list[Entry]:
        return [Entry(**json.loads(file.read_text())) for file in sorted(self.folder.glob("*.json"))]

    def _file(self, batch: str) -> Path:
        return self.folder / f"{batch}.json"
