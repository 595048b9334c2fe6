"""`fractalctl`: start the server, prepare its database."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from fractal_common.settings import ConfigurationError

EXIT_ADDRESS_IN_USE = 3
"""As uvicorn has it."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="fractalctl", description="fractal-server commands")
    commands = parser.add_subparsers(title="Commands", dest="command", required=True)

    start = commands.add_parser("start", help="start the server")
    start.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    start.add_argument("-p", "--port", type=int, default=8000, help="port (default: %(default)s)")
    start.add_argument("--reload", action="store_true", help="restart when code changes (for development)")

    openapi = commands.add_parser("openapi", help="write the OpenAPI document")
    openapi.add_argument("-f", "--openapi-file", default="openapi.json", help="(default: %(default)s)")

    commands.add_parser("set-db", help="bring the database to the newest revision")

    init = commands.add_parser("init-db-data", help="default group, first administrator, resource and profile")
    init.add_argument("--resource", help="`default`, or a JSON file")
    init.add_argument("--profile", help="`default`, or a JSON file")
    init.add_argument("--admin-email")
    init.add_argument("--admin-pwd")
    init.add_argument("--admin-project-dir")

    arguments = parser.parse_args()
    try:
        sys.exit(_run(arguments))
    except ConfigurationError as error:
        sys.exit(f"fractalctl: {error}")


def _run(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "start":
            return _start(host=arguments.host, port=arguments.port, reload=arguments.reload)
        case "openapi":
            return _openapi(Path(arguments.openapi_file))
        case "set-db":
            return _set_db()
        case _:
            return _init(arguments)


def _start(*, host: str, port: int, reload: bool) -> int:
    from fractal_common.telemetry import configure_logging

    from fractal_server.embedded.children import StartError
    from fractal_server.embedded.home import Home, HomeInUseError
    from fractal_server.embedded.postgres import PostgresSetupError
    from fractal_server.embedded.stack import ADMIN_EMAIL, AddressInUseError, Layout, Stack

    configure_logging("fractalctl")
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
        print(f"fractalctl: {error}", file=sys.stderr)
        return 1
    return 0


def _openapi(file: Path) -> int:
    from fractal_server.main import app

    file.write_text(json.dumps(app.openapi()))
    return 0


def _set_db() -> int:
    from fractal_common.migrations import INI, upgrade

    print(f"START: Run alembic.config, with argv={['-c', str(INI), 'upgrade', 'head']}", flush=True)
    upgrade()
    print("END: alembic.config")
    return 0


def _init(arguments: argparse.Namespace) -> int:
    from fractal_server.cli.init_data import InitError, seed

    try:
        asyncio.run(
            seed(
                admin_email=arguments.admin_email,
                admin_password=arguments.admin_pwd,
                admin_project_dir=arguments.admin_project_dir,
                resource=arguments.resource,
                profile=arguments.profile,
            )
        )
    except InitError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    main()
