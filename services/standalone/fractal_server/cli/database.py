"""`fractalctl set-db` and `update-db-data`."""

import importlib
import re
from pathlib import Path

from fractal_common import REFERENCE_VERSION
from fractal_common.migrations import INI, upgrade
from fractal_common.settings import ENV_FILE

from fractal_server.cli.errors import CommandError


def set_db() -> None:
    """Migrations. Idempotent; the database itself must exist."""
    print(f"START: Run alembic.config, with argv={['-c', str(INI), 'upgrade', 'head']}", flush=True)
    upgrade()
    print("END: alembic.config")


QUESTIONS = (
    "Do you upgrade from the release before this one, without leaving one out?",
    "Is {version} the release that you want to have in the end?",
    "Have you run `fractalctl set-db` of this release?",
    "Is there a backup of the database, made before that?",
    "Shall the data be changed now?",
)


def update_db_data() -> None:
    """Run the data migration of this release, after five questions.

    Raises:
        CommandError: no settings file, an answer other than `yes`, or this release has no data migration.
    """
    version = re.sub(r"[^0-9.].*", "", REFERENCE_VERSION)
    module = version.replace(".", "_")
    print("WARNING: this changes existing data, and there is no way back but the backup of the database.")
    print(f"Release: {version}\nData migration: {module}\n")
    if not Path(ENV_FILE).is_file():
        raise CommandError(
            f"This command will look for a '{ENV_FILE}' file, but there isn't one in the current directory."
        )
    for question in QUESTIONS:
        _confirm(question.format(version=version))
    name = f"fractal_server.data_migrations.{module}"
    try:
        migration = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise CommandError(
            f"Update-db module for version {version} not found; exit.\nOriginal error message: {error}"
        ) from None
    print("OK, now starting data-migration script")
    migration.fix_db()


def _confirm(question: str) -> None:
    print(f"{question} (yes/no)", flush=True)
    try:
        answer = input()
    except EOFError:
        answer = ""
    if answer != "yes":
        raise CommandError(f"Answer was '{answer}'; exit.")
