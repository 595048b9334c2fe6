"""Files of jobs that belong to a user: read with that user's rights, under the names that the server knows."""

import asyncio
import os
import shutil
import uuid
import zipfile
from pathlib import Path

from fractal_common.messages import ArchiveReady, FileChunk, FileRead, FolderArchive, JobArchive, RpcError
from pydantic import BaseModel

from fractal_agent.archive import KEEP_FOLDER_BELOW_BYTES, archive_job
from fractal_agent.backends.slurm.records import Identity
from fractal_agent.files import MAX_CHUNK_BYTES, FileService
from fractal_agent.folders import write_log
from fractal_agent.identity.delegates import Delegates
from fractal_agent.identity.policy import UserPolicy
from fractal_agent.settings import Confinement

MAX_DEPTH = 3
"""Of a file below its job's folder."""


class UserFiles:
    """Job folders with an identity; all others are the agent's own and answered by the service beneath."""

    def __init__(
        self, own: FileService, confinement: Confinement, policy: UserPolicy, delegates: Delegates, downloads: Path
    ) -> None:
        self._own = own
        self._policy = policy
        self._confinement = confinement
        self._delegates = delegates
        self._downloads = downloads

    async def answer(self, subject: str, data: bytes) -> BaseModel:
        """Never raises: a refusal is an `RpcError` with its reason."""
        verb = ".".join(subject.split(".")[3:])
        try:
            if verb == "files.read":
                chunk = await self._read(FileRead.model_validate_json(data))
                if chunk is not None:
                    return chunk
            if verb == "files.archive":
                ready = await self._archive(FolderArchive.model_validate_json(data))
                if ready is not None:
                    return ready
        except Exception as error:
            return RpcError(error=f"{type(error).__name__}: {error}")
        return await self._own.answer(subject, data)

    async def archive_job(self, command: JobArchive) -> None:
        """Write the last log, then `{working_dir}.zip`; the server's folder goes if the zip is complete and large."""
        working_dir = self._confinement.check(command.working_dir)
        if working_dir.is_dir():
            write_log(working_dir, command.workflow_log)
        identity = Identity.read(working_dir)
        if identity is None:
            await asyncio.to_thread(archive_job, working_dir)
            return
        target = working_dir.with_name(working_dir.name + ".zip")
        draft = working_dir.with_name(working_dir.name + "_tmp.zip")
        try:
            await self._write_zip(identity, command.workflow_log, draft)
            await asyncio.to_thread(_check, draft)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        draft.rename(target)
        if target.stat().st_size >= KEEP_FOLDER_BELOW_BYTES:
            await asyncio.to_thread(shutil.rmtree, working_dir)

    async def _read(self, request: FileRead) -> FileChunk | None:
        """None: not a user's file. One that is not there may be in the archive."""
        user, path = request.username, request.path
        if user is None:
            server_path = self._confinement.check(path)
            found = await asyncio.to_thread(_job_of, server_path, self._confinement.roots)
            if found is None or server_path == found[0] / "workflow.log":
                return None
            working_dir, identity = found
            user, path = identity.username, f"{identity.working_dir_user}/{server_path.relative_to(working_dir)}"
        answer = await self._delegates.ask(
            self._policy.check(user),
            "read",
            path=path,
            offset=request.offset,
            length=max(0, min(request.length, MAX_CHUNK_BYTES)),
        )
        if answer is not None:
            return FileChunk(exists=True, size=answer["size"], data_base64=answer["data"])
        return await asyncio.to_thread(self._own.read_archived, request)

    async def _archive(self, request: FolderArchive) -> ArchiveReady | None:
        working_dir = self._confinement.check(request.working_dir)
        identity = Identity.read(working_dir)
        if identity is None or working_dir.with_name(working_dir.name + ".zip").is_file():
            return None
        log = working_dir / "workflow.log"
        target = self._downloads / f"{uuid.uuid4().hex}.zip"
        await self._write_zip(identity, log.read_text() if log.is_file() else "", target)
        return ArchiveReady(path=str(target), size=target.stat().st_size)

    async def _write_zip(self, identity: Identity, workflow_log: str, target: Path) -> None:
        delegate = await self._delegates.of(identity.username)
        parts = delegate.stream("archive", folder=identity.working_dir_user, extra={"workflow.log": workflow_log})
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            async for part in parts:
                await asyncio.to_thread(stream.write, part)
            stream.flush()
            os.fsync(stream.fileno())


def _check(archive: Path) -> None:
    with zipfile.ZipFile(archive) as written:
        written.namelist()


def _job_of(path: Path, roots: list[Path]) -> tuple[Path, Identity] | None:
    """The job folder that a path is in, if that is a user's."""
    for folder in list(path.parents)[:MAX_DEPTH]:
        if folder in roots:
            return None
        identity = Identity.read(folder)
        if identity is not None:
            return folder, identity
    return None
