"""Questions to the agents, over the bus; the api itself never sees the cluster's files."""

import base64
from collections.abc import AsyncGenerator
from pathlib import PurePosixPath
from typing import TypeVar

from fastapi import Request
from fractal_common.bus import Bus, BusError, NoAgentError
from fractal_common.messages import (
    ArchiveReady,
    FileChunk,
    FileRead,
    FolderArchive,
    PathCheck,
    PathFacts,
    QueueRead,
    QueueSnapshot,
    rpc_subject,
)
from pydantic import BaseModel

Reply = TypeVar("Reply", bound=BaseModel)

MAX_LOG_BYTES = 10 * 1024 * 1024
ARCHIVE_TIMEOUT_S = 120.0
PRESENCE_TIMEOUT_S = 2.0
CHUNK_BYTES = 256 * 1024


class Agents:
    """Connects in the background: an api without NATS answers everything that needs no agent."""

    def __init__(self) -> None:
        self.bus: Bus | None = None

    async def request(
        self, resource_id: int, verb: str, message: BaseModel, reply: type[Reply], *, timeout_s: float = 10.0
    ) -> Reply:
        """Raises NoAgentError if nobody can be asked, BusError if the agent refuses or does not answer."""
        if self.bus is None or not self.bus.is_connected:
            raise NoAgentError("not connected to the message bus")
        return await self.bus.request(rpc_subject(resource_id, verb), message, reply, timeout_s=timeout_s)

    async def is_missing(self, resource_id: int) -> bool:
        """Whether it is certain that no agent serves the resource now."""
        if self.bus is None or not self.bus.is_connected:
            return False
        try:
            await self.request(resource_id, "check", PathCheck(), PathFacts, timeout_s=PRESENCE_TIMEOUT_S)
        except NoAgentError:
            return True
        except BusError:
            return False
        return False

    async def read_log(self, resource_id: int, logfile: str, working_dir: str) -> str | None:
        """A log file, or its copy in the job's archive; None if there is neither."""
        parts: list[bytes] = []
        size = 0
        while True:
            chunk = await self._chunk(resource_id, logfile, working_dir, size)
            if not chunk.exists:
                return None
            data = base64.b64decode(chunk.data_base64)
            parts.append(data)
            size += len(data)
            if not data or size >= min(chunk.size, MAX_LOG_BYTES):
                return b"".join(parts).decode("utf-8", "replace")

    async def read_chunk(self, resource_id: int, logfile: str, working_dir: str, offset: int) -> bytes:
        """Bytes of a log file from an offset on; none at its end, or if there is no file yet."""
        return base64.b64decode((await self._chunk(resource_id, logfile, working_dir, offset)).data_base64)

    async def _chunk(self, resource_id: int, logfile: str, working_dir: str, offset: int) -> FileChunk:
        request = FileRead(
            path=logfile,
            archive=f"{working_dir}.zip",
            member=str(PurePosixPath(logfile).relative_to(working_dir)),
            offset=offset,
            length=CHUNK_BYTES,
        )
        return await self.request(resource_id, "files.read", request, FileChunk)

    async def archive(self, resource_id: int, working_dir: str) -> ArchiveReady:
        message = FolderArchive(working_dir=working_dir)
        return await self.request(resource_id, "files.archive", message, ArchiveReady, timeout_s=ARCHIVE_TIMEOUT_S)

    async def queue(
        self, resource_id: int, *, username: str | None = None, accounts: list[str] | None = None
    ) -> AsyncGenerator[QueueSnapshot]:
        """The scheduler's queue as the agent last saw it, in parts.

        Raises:
            NoAgentError: no agent serves the resource.
            BusError: the agent has not seen the queue, or does not answer.
        """
        offset = 0
        while True:
            request = QueueRead(username=username, accounts=accounts, offset=offset)
            part = await self.request(resource_id, "queue", request, QueueSnapshot)
            yield part
            offset += len(part.lines)
            if not part.lines or offset >= part.total:
                return

    async def stream(self, resource_id: int, archive: ArchiveReady) -> AsyncGenerator[bytes]:
        """The bytes of an archive, chunk by chunk."""
        offset = 0
        while offset < archive.size:
            request = FileRead(path=archive.path, offset=offset, length=CHUNK_BYTES)
            chunk = await self.request(resource_id, "files.read", request, FileChunk)
            data = base64.b64decode(chunk.data_base64)
            if not data:
                raise BusError(f"{archive.path} became shorter while it was read")
            offset += len(data)
            yield data


async def agents(request: Request) -> Agents:
    return request.app.state.agents
