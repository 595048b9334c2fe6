"""Questions to an agent, and their answers."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from fractal_common.messages.base import Message


class BatchesAlive(Message):
    """A sign of life of many batches at once: the agent has them, waiting or running, and they go on."""

    type: Literal["batches.alive.v1"] = "batches.alive.v1"
    results: dict[str, int]
    """For each batch how many of its unit results the agent has published."""


class PixiSettings(BaseModel):
    """How pixi makes an environment."""

    model_config = ConfigDict(frozen=True)

    home: str
    """Folder of the version; the binary is `{home}/bin/pixi`."""
    cache_dir: str
    concurrent_solves: int
    concurrent_downloads: int
    worker_threads: int
    environment: str
    """The one environment that is kept."""
    platform: str
    """The one platform that is kept."""
    frozen: bool
    """Install what the lock file says, without solving."""


class FileRead(Message):
    """`files.read`: part of a file below the resource's directories. Reply: `FileChunk` or `RpcError`."""

    type: Literal["files.read.v1"] = "files.read.v1"
    path: str
    archive: str | None = None
    """Zip in which to look for `member` when `path` does not exist."""
    member: str | None = None
    username: str | None = None
    """Unix user whose file `path` is. Null: a name below the jobs directory; the agent knows whose file that is."""
    offset: int = 0
    length: int = 128 * 1024


class FileChunk(Message):
    type: Literal["files.chunk.v1"] = "files.chunk.v1"
    exists: bool
    size: int = 0
    data_base64: str = ""


class FolderArchive(Message):
    """`files.archive`: the zip of a job folder, made if need be. Reply: `ArchiveReady`; read it with `files.read`."""

    type: Literal["files.archive.v1"] = "files.archive.v1"
    working_dir: str


class ArchiveReady(Message):
    type: Literal["files.archive-ready.v1"] = "files.archive-ready.v1"
    path: str
    size: int


class PathCheck(Message):
    """`check`: facts about paths on the cluster, and where an interpreter finds a package."""

    type: Literal["check.v1"] = "check.v1"
    paths: list[str] = []
    package_interpreter: str | None = None
    package_name: str | None = None


class PathFacts(Message):
    type: Literal["check-result.v1"] = "check-result.v1"
    existing: list[str] = []
    files: list[str] = []
    directories: list[str] = []
    executable: list[str] = []
    package_root: str | None = None
    package_stdout: str = ""
    package_stderr: str = ""


class QueueRead(Message):
    """`queue`: the agent's last look at the scheduler's queue. Reply: `QueueSnapshot` or `RpcError`."""

    type: Literal["queue.read.v1"] = "queue.read.v1"
    username: str | None = None
    """Only jobs of this Unix user."""
    accounts: list[str] | None = None
    """Only jobs on these accounts."""
    offset: int = 0
    limit: int = 2000


class QueueSnapshot(Message):
    """Lines as squeue prints them; the first of the whole snapshot is its header."""

    type: Literal["queue.snapshot.v1"] = "queue.snapshot.v1"
    taken_at: datetime
    header: str
    lines: list[str]
    total: int
    """Lines that match, of which `lines` is a part."""


class RpcError(Message):
    type: Literal["rpc.error.v1"] = "rpc.error.v1"
    error: str


def rpc_subject(resource_id: int, verb: str) -> str:
    """`verb` is `files.read`, `files.archive`, `queue` or `check`."""
    return f"fractal.rpc.{resource_id}.{verb}"
