"""`python -m fractal_server.embedded up|down|status|url`: the stack in the background."""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import time

from fractal_common.settings import ConfigurationError
from fractal_common.telemetry import configure_logging

from fractal_server.embedded.children import StartError
from fractal_server.embedded.home import Home, HomeInUseError
from fractal_server.embedded.postgres import PostgresSetupError
from fractal_server.embedded.stack import ADMIN_EMAIL, AddressInUseError, Layout, Stack

UP_TIMEOUT_S = 90.0
DOWN_TIMEOUT_S = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["up", "down", "status", "url", "run"])
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    home = Home()
    match options.action:
        case "run":
            return asyncio.run(_run(home, options.port))
        case "up":
            return _up(home, options.port)
        case "down":
            return _down(home)
        case "url":
            print(home.runtime().get("url", ""))
            return 0 if _running(home) else 3
        case _:
            return _status(home)


async def _run(home: Home, port: int | None) -> int:
    configure_logging("supervisor")
    stack = Stack(home, Layout(port=port))
    try:
        await stack.start()
    except (StartError, HomeInUseError, PostgresSetupError, AddressInUseError, ConfigurationError) as error:
        print(f"Cannot start: {error}", file=sys.stderr)
        return 1
    await stack.run()
    return 0


def _running(home: Home) -> int | None:
    """Process id of the supervisor, if it lives: one that was killed has left its id, but not its lock."""
    pid = home.runtime().get("supervisor")
    return pid if isinstance(pid, int) and home.is_locked() else None


def _up(home: Home, port: int | None) -> int:
    if _running(home) is None:
        home.prepare()
        argv = [sys.executable, "-m", "fractal_server.embedded", "run", *(["--port", str(port)] if port else [])]
        with (home.directory("logs") / "supervisor.log").open("ab") as output:
            child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        deadline = time.monotonic() + UP_TIMEOUT_S
        while not (home.runtime().get("url") and home.runtime().get("supervisor") == child.pid):
            if child.poll() is not None or time.monotonic() > deadline:
                print(f"The stack did not start; see {home.directory('logs')}/supervisor.log", file=sys.stderr)
                return 1
            time.sleep(0.05)  # waiting for another process, nothing else runs here
    print(f"Fractal Server   {home.runtime()['url']}")
    print(f"administrator    {ADMIN_EMAIL}")
    print(f"password         {home.secret('admin_password')}")
    print(f"logs             {home.directory('logs')}")
    return 0


def _down(home: Home) -> int:
    pid = _running(home)
    if pid is None:
        print("Nothing runs.")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_TIMEOUT_S
    while home.is_locked():
        if time.monotonic() > deadline:
            print(f"The supervisor (process {pid}) does not stop.", file=sys.stderr)
            return 1
        time.sleep(0.05)
    print("Stopped.")
    return 0


def _status(home: Home) -> int:
    if _running(home) is None:
        print("Nothing runs.")
        return 3
    runtime = home.runtime()
    print(runtime["url"])
    for name, pid in runtime["processes"].items():
        print(f"  {name:12} {pid or 'restarting'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
