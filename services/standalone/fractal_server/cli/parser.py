"""The options of every sub-command. Imports nothing of the product: `--help` needs no configuration."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # pyright: ignore[reportPrivateUsage]


def build() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fractalctl", description="fractal-server commands")
    commands = parser.add_subparsers(title="Commands", dest="command", required=True)
    _start(commands)
    openapi = _add(commands, "openapi", "write the OpenAPI document")
    openapi.add_argument("-f", "--openapi-file", default="openapi.json", help="(default: %(default)s)")
    set_db = _add(commands, "set-db", "bring the database to the newest revision")
    set_db.add_argument("--skip-init-data", action="store_true", help="as without it: data is made by init-db-data")
    _init_db_data(commands)
    _add(commands, "update-db-data", "change existing data as an upgrade needs it; asks before")
    recent = _add(commands, "recent", "jobs and task-group activities that run or ended a short time ago")
    recent.add_argument("--minutes", type=_minutes, default=20, help="how far to look back (default: %(default)s)")
    _sync_core_tasks(commands)
    for action, what in (("enable", "let jobs be submitted again"), ("disable", "let no new jobs be submitted")):
        submissions = _add(commands, f"submissions-{action}", what)
        which = submissions.add_mutually_exclusive_group()
        which.add_argument("--resource", metavar="NAME", help="to this resource only")
        which.add_argument("--all", action="store_true", help="to all resources (the default)")
    return parser


def _add(commands: "Commands", name: str, what: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")


def _start(commands: "Commands") -> None:
    start = _add(commands, "start", "start the server")
    start.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    start.add_argument("-p", "--port", type=int, default=8000, help="port (default: %(default)s)")
    start.add_argument("--reload", action="store_true", help="restart when code changes (for development)")


def _init_db_data(commands: "Commands") -> None:
    init = _add(commands, "init-db-data", "default group, first administrator, resource and profile")
    init.add_argument("--resource", help="`default`, or a JSON file")
    init.add_argument("--profile", help="`default`, or a JSON file")
    init.add_argument("--admin-email", help="of the first administrator")
    init.add_argument("--admin-pwd", help="their password")
    init.add_argument("--admin-project-dir", help="where they keep their data")


def _sync_core_tasks(commands: "Commands") -> None:
    sync = _add(commands, "sync-core-tasks", "mark the tasks of some lists, and no others, as core tasks")
    sync.add_argument(
        "--resources-and-groups",
        metavar="FILE",
        required=True,
        help='JSON list of {"resource_id": …, "user_group_id": …}',
    )
    for name, what in (
        ("base", "the core tasks"),
        ("add", "more of them"),
        ("remove", "those of the two lists that are none"),
    ):
        sync.add_argument(f"--{name}", metavar="FILE", help=f"{what}: JSON list of [package, version, task name]")


def _minutes(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is negative")
    return value
