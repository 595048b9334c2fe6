"""`fractalctl`: start the server, prepare and look after its database."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from fractal_server.cli import parser
from fractal_server.cli.errors import CommandError, UsageError, explain


def main() -> None:
    arguments = parser.build().parse_args()
    from fractal_common.settings import ConfigurationError
    from fractal_common.telemetry import configure_logging
    from sqlalchemy.exc import SQLAlchemyError

    try:
        configure_logging("fractalctl")
        sys.exit(_run(arguments))
    except UsageError as error:
        print(error)
        sys.exit(1)
    except CommandError as error:
        sys.exit(str(error))
    except (ConfigurationError, OSError) as error:
        sys.exit(f"fractalctl: {error}")
    except SQLAlchemyError as error:
        sys.exit(f"fractalctl: {explain(error)}")
    except KeyboardInterrupt:
        sys.exit(130)


def _run(arguments: argparse.Namespace) -> int | None:
    """Exit code of the sub-command; each imports what it needs and no more."""
    match arguments.command:
        case "start":
            from fractal_server.cli.start import start

            return start(host=arguments.host, port=arguments.port, reload=arguments.reload)
        case "openapi":
            return _openapi(Path(arguments.openapi_file))
        case "set-db":
            from fractal_server.cli.database import set_db

            return set_db()
        case "init-db-data":
            return _init_db_data(arguments)
        case "update-db-data":
            from fractal_server.cli.database import update_db_data

            return update_db_data()
        case "recent":
            from fractal_server.cli.recent import recent

            return asyncio.run(recent(arguments.minutes))
        case "sync-core-tasks":
            from fractal_server.cli.core_tasks import sync_core_tasks

            files = (arguments.resources_and_groups, arguments.base, arguments.add, arguments.remove)
            return sync_core_tasks(*files)
        case _:
            from fractal_server.cli.submissions import prevent

            disable = arguments.command == "submissions-disable"
            return asyncio.run(prevent(disable, resource=arguments.resource))


def _openapi(file: Path) -> None:
    from fractal_server.main import app

    file.write_text(json.dumps(app.openapi()))


def _init_db_data(arguments: argparse.Namespace) -> None:
    from fractal_server.cli.init_data import seed

    asyncio.run(
        seed(
            admin_email=arguments.admin_email,
            admin_password=arguments.admin_pwd,
            admin_project_dir=arguments.admin_project_dir,
            resource=arguments.resource,
            profile=arguments.profile,
        )
    )


if __name__ == "__main__":
    main()
