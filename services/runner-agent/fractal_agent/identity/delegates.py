"""One long-lived process per user that acts for the agent with that user's rights (see the package `delegate`)."""

import asyncio
import base64
import os
import struct
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from fractal_common.telemetry import get_logger

from fractal_agent.delegate import framing
from fractal_agent.identity.audit import AuditLog
from fractal_agent.identity.policy import UserPolicy, UserRefused

log = get_logger(__name__)

START_TIMEOUT_S = 20.0
MAX_WORDS = 2000
OWN = Path(str(files("fractal_agent").joinpath("delegate", "__main__.py")))


class DelegateUnavailable(Exception):
    """No process could be started as the user, or it has ended; the message has the system's words."""


class DelegateError(Exception):
    """The delegate could not do what it was asked for; `kind` is the type of its exception."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Delegate:
    """One running process."""

    def __init__(self, process: asyncio.subprocess.Process, user: str | None) -> None:
        self.user = user
        self.used = time.monotonic()
        self._process = process
        self._numbers = 0
        self._waiting: dict[int, asyncio.Queue[dict[str, Any]]] = {}
        self._words = bytearray()
        self._reading = [asyncio.create_task(self._read()), asyncio.create_task(self._listen())]

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None and not self._reading[0].done()

    @property
    def words(self) -> str:
        """What it, or sudo, wrote on standard error."""
        return self._words.decode("utf-8", "replace").strip()

    async def ask(self, do: str, **arguments: Any) -> Any:
        """Raises DelegateError, DelegateUnavailable."""
        answers = [answer async for answer in self._ask(do, arguments)]
        return answers[-1]

    async def stream(self, do: str, **arguments: Any) -> AsyncGenerator[bytes]:
        """The parts of an answer that is sent in pieces."""
        async for part in self._ask(do, arguments):
            if isinstance(part, bytes):
                yield part

    async def _ask(self, do: str, arguments: Mapping[str, Any]) -> AsyncGenerator[Any]:
        self._numbers += 1
        number = self._numbers
        answers = self._waiting[number] = asyncio.Queue()
        self.used = time.monotonic()
        try:
            await self.send({"id": number, "do": do, **arguments})
            while True:
                answer = await answers.get()
                if "part" in answer:
                    yield base64.b64decode(answer["part"])
                elif "error" in answer:
                    if answer["kind"] == "DelegateUnavailable":
                        raise DelegateUnavailable(answer["error"])
                    raise DelegateError(answer["kind"], answer["error"])
                else:
                    yield answer["value"]
                    return
        finally:
            del self._waiting[number]

    async def send(self, message: Mapping[str, Any]) -> None:
        stream = self._process.stdin
        assert stream is not None, "started with pipes"
        try:
            stream.write(framing.pack(message))
            await stream.drain()
        except OSError as error:
            raise DelegateUnavailable(self.words or str(error)) from error

    async def greet(self, hello: Mapping[str, Any]) -> None:
        """Raises DelegateUnavailable with what sudo said, if it did not let us."""
        answers = self._waiting[0] = asyncio.Queue()
        try:
            await self.send(hello)
            answer = await asyncio.wait_for(answers.get(), START_TIMEOUT_S)
        except TimeoutError:
            raise DelegateUnavailable(self.words or f"no answer within {START_TIMEOUT_S:.0f} s") from None
        finally:
            del self._waiting[0]
        if "error" in answer:
            raise DelegateUnavailable(answer["error"])

    async def close(self) -> None:
        """Its standard input ends: it finishes what it is doing and goes."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)

    async def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None, "started with pipes"
        try:
            while True:
                (length,) = struct.unpack(">I", await stream.readexactly(framing.HEADER.size))
                answer: dict[str, Any] = framing.parse(await stream.readexactly(length))
                waiting = self._waiting.get(answer["id"])
                if waiting is not None:
                    waiting.put_nowait(answer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            await asyncio.sleep(0)
            await self._fail()

    async def _fail(self) -> None:
        await asyncio.wait([self._reading[1]], timeout=1)
        for waiting in self._waiting.values():
            text = self.words or "the process that acts as the user has ended"
            waiting.put_nowait({"error": text, "kind": "DelegateUnavailable"})

    async def _listen(self) -> None:
        stream = self._process.stderr
        assert stream is not None, "started with pipes"
        while data := await stream.read(4096):
            self._words += data
            del self._words[:-MAX_WORDS]


class Delegates:
    """Starts a delegate when it is needed, again when it has died, and lets it go when it is idle."""

    def __init__(
        self,
        *,
        policy: UserPolicy,
        command: Path,
        directories: Sequence[str],
        jobs_dir: Path,
        environment: Mapping[str, str],
        audit: AuditLog,
    ) -> None:
        self._policy = policy
        self._command = command
        self._directories = directories
        self._jobs_dir = jobs_dir
        self._environment = dict(environment)
        self._audit = audit
        self._running: dict[str | None, Delegate] = {}
        self._starting: dict[str | None, asyncio.Lock] = {}

    async def of(self, user: str | None) -> Delegate:
        """Raises DelegateUnavailable."""
        async with self._starting.setdefault(user, asyncio.Lock()):
            known = self._running.get(user)
            if known is not None and known.is_alive:
                return known
            if known is not None:
                await known.close()
            delegate = self._running[user] = await self._start(user)
            return delegate

    async def ask(self, user: str | None, do: str, **arguments: Any) -> Any:
        return await (await self.of(user)).ask(do, **arguments)

    async def close(self) -> None:
        for delegate in self._running.values():
            await delegate.close()
        self._running.clear()

    async def close_idle(self, idle_s: float) -> None:
        for user, delegate in list(self._running.items()):
            if time.monotonic() - delegate.used > idle_s:
                await self._running.pop(user).close()

    async def _start(self, user: str | None) -> Delegate:
        try:
            self._policy.check(user)
        except UserRefused as error:
            self._audit.record("act as user", user=user, why="files of a job", refused=str(error))
            raise DelegateUnavailable(str(error)) from None
        own = [sys.executable, "-I", "-S", str(OWN)]
        argv = own if user is None else ["sudo", "--non-interactive", "-u", user, str(self._command)]
        if user is not None:
            self._audit.record("act as user", user=user, why="a batch of this user", command=argv)
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath)},
                start_new_session=True,
            )
        except OSError as error:
            raise DelegateUnavailable(str(error)) from error
        delegate = Delegate(process, user)
        roots = [root.replace("{user}", user or "") for root in self._directories]
        if user is None:
            roots.append(str(self._jobs_dir))
        try:
            await delegate.greet({"roots": roots, "environment": self._environment})
        except DelegateUnavailable as error:
            await delegate.close()
            log.warning("delegate.unavailable", user=user, error=str(error))
            raise
        return delegate
