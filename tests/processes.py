"""Processes that tests start, and what they leave."""

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], bool], what: str, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def is_alive(url: str) -> bool:
    return answers(f"{url}/api/alive/")


@contextmanager
def running(argv: list[str], *, cwd: Path, environment: dict[str, str]) -> Generator[subprocess.Popen[bytes]]:
    """A process with its output in `cwd`/output.log; SIGTERM at the end, unless it has ended."""
    with (cwd / "output.log").open("ab") as output:
        process = subprocess.Popen(
            argv, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def processes_of(directory: Path) -> dict[int, str]:
    """Living processes that have `directory` in their command line, environment or working directory."""
    marker = str(directory).encode()
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            cwd = str((entry / "cwd").readlink()).encode()
            texts = (command, (entry / "environ").read_bytes(), cwd)
        except OSError:
            continue
        if command and any(marker in text for text in texts):
            found[int(entry.name)] = command.replace(b"\0", b" ").decode()
    return found


def children_of(pid: int) -> list[int]:
    """Process ids whose parent this process is."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if int(parent) == pid:
                found.append(int(entry.name))
    return found


PTRACE_ATTACH, PTRACE_DETACH = 16, 17
WAIT_FOR_THREADS = 0x40000000


@contextmanager
def frozen(pid: int) -> Generator[None]:
    """The process does nothing meanwhile, and its parent is not told, as it is of SIGSTOP and SIGCONT."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(PTRACE_ATTACH, pid, None, None):
        raise OSError(ctypes.get_errno(), f"process {pid} cannot be traced")
    os.waitpid(pid, WAIT_FOR_THREADS)
    try:
        yield
    finally:
        libc.ptrace(PTRACE_DETACH, pid, None, None)
