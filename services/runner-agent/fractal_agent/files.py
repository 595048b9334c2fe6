"""Answers to the api's questions about files, confined to the resource's directories."""

import asyncio
import base64
import os
import subprocess
import time
import uuid
import zipfile
from pathlib import Path

from fractal_common.messages import ArchiveReady, FileChunk, FileRead, FolderArchive, PathCheck, PathFacts, RpcError
from pydantic import BaseModel

from fractal_agent.archive import write_zip
from fractal_agent.settings import Confinement

MAX_CHUNK_BYTES = 256 * 1024
DOWNLOAD_LIFETIME_S = 3600.0


class FileService:
    """`files.read` and `files.archive`."""

    def __init__(self, confinement: Confinement, downloads: Path) -> None:
        self._confinement = confinement
        self._downloads = downloads
        downloads.mkdir(parents=True, exist_ok=True)

    async def answer(self, subject: str, data: bytes) -> BaseModel:
        """Never raises: a refusal is an `RpcError` with its reason."""
        verb = ".".join(subject.split(".")[3:])
        try:
            match verb:
                case "files.read":
                    return await asyncio.to_thread(self.read, FileRead.model_validate_json(data))
                case "files.archive":
                    return await asyncio.to_thread(self.archive, FolderArchive.model_validate_json(data))
                case "check":
                    return await asyncio.to_thread(check, PathCheck.model_validate_json(data))
                case _:
                    return RpcError(error=f"'{verb}' is not a request that this agent knows")
        except Exception as error:
            return RpcError(error=f"{type(error).__name__}: {error}")

    def read(self, request: FileRead) -> FileChunk:
        """Raises PermissionError outside the agent's directories."""
        length = max(0, min(request.length, MAX_CHUNK_BYTES))
        path = self._confinement.check(request.path)
        if path.is_file():
            with path.open("rb") as stream:
                size = stream.seek(0, 2)
                stream.seek(request.offset)
                data = stream.read(length)
            return FileChunk(exists=True, size=size, data_base64=base64.b64encode(data).decode())
        return self.read_archived(request)

    def read_archived(self, request: FileRead) -> FileChunk:
        """The same file from the job's archive, if that is named."""
        if not request.archive or not request.member:
            return FileChunk(exists=False)
        length = max(0, min(request.length, MAX_CHUNK_BYTES))
        return self._read_member(self._confinement.check(request.archive), request.member, request.offset, length)

    def archive(self, request: FolderArchive) -> ArchiveReady:
        """The final zip, or one made now."""
        folder = self._confinement.check(request.working_dir)
        target = folder.with_name(folder.name + ".zip")
        if not target.is_file():
            self._prune()
            target = self._downloads / f"{uuid.uuid4().hex}.zip"
            write_zip(folder, target)
        return ArchiveReady(path=str(target), size=target.stat().st_size)

    def _read_member(self, archive: Path, member: str, offset: int, length: int) -> FileChunk:
        if not archive.is_file():
            return FileChunk(exists=False)
        with zipfile.ZipFile(archive) as opened:
            try:
                info = opened.getinfo(member)
            except KeyError:
                return FileChunk(exists=False)
            with opened.open(info) as stream:
                stream.seek(offset)
                data = stream.read(length)
        return FileChunk(exists=True, size=info.file_size, data_base64=base64.b64encode(data).decode())

    def _prune(self) -> None:
        for file in self._downloads.glob("*.zip"):
            if time.time() - file.stat().st_mtime > DOWNLOAD_LIFETIME_S:
                file.unlink(missing_ok=True)


LOCATE = "import importlib.util, sys; print(importlib.util.find_spec(sys.argv[1]).submodule_search_locations[0])"
LOCATE_TIMEOUT_S = 20.0


def check(request: PathCheck) -> PathFacts:
    """Facts about paths: that they are there, what they are; no content. And where an interpreter has a package."""
    existing = [path for path in request.paths if Path(path).exists()]
    facts = PathFacts(
        existing=existing,
        files=[path for path in existing if Path(path).is_file()],
        directories=[path for path in existing if Path(path).is_dir()],
        executable=[path for path in existing if os.access(path, os.X_OK)],
    )
    interpreter, package = request.package_interpreter, request.package_name
    if interpreter is None or package is None or interpreter not in {*facts.executable} & {*facts.files}:
        return facts
    done = subprocess.run(  # noqa: PLW1510 - the status is looked at below
        [interpreter, "-I", "-c", LOCATE, package], capture_output=True, text=True, timeout=LOCATE_TIMEOUT_S, cwd="/"
    )
    found = done.stdout.strip()
    is_answer = done.returncode == 0 and bool(found) and "\n" not in found
    return facts.model_copy(
        update={
            "package_root": found if is_answer else None,
            "package_stdout": done.stdout,
            "package_stderr": done.stderr,
        }
    )
