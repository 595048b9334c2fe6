"""`fractalctl start`."""

import asyncio
import sys

from fractal_server.cli.errors import CommandError
from fractal_server.embedded.children import StartError
from fractal_server.embedded.home import Home, HomeInUseError
from fractal_server.embedded.postgres import PostgresSetupError
from fractal_server.embedded.stack import ADMIN_EMAIL, AddressInUseError, Layout, Stack

EXIT_ADDRESS_IN_USE = 3
"""As uvicorn has it."""


def start(*, host: str, port: int, reload: bool) -> int:
    """The whole server on one port, until SIGTERM."""
    stack = Stack(Home(), Layout(host=host, port=port, one_port=True, reload=reload))

    async def run() -> None:
        await stack.start()
        print(f"Fractal Server at {stack.url}; logs in {stack.home.directory('logs')}", flush=True)
        if stack.own_database:
            password_file = stack.home.directory("secrets") / "admin_password"
            print(f"Administrator {ADMIN_EMAIL}, password in {password_file}", flush=True)
        await stack.run()

    try:
        asyncio.run(run())
    except AddressInUseError as error:
        print(f"fractalctl: {error}", file=sys.stderr)
        return EXIT_ADDRESS_IN_USE
    except (StartError, HomeInUseError, PostgresSetupError) as error:
        raise CommandError(f"fractalctl: {error}") from None
    return 0
