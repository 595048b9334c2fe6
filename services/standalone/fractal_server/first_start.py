"""`python -m fractal_server.first_start`: a database ready to serve, at the first start and at every later one.

Migrations, then what is missing of: default group, administrator, default resource and profile. Idempotent.
"""

import asyncio
import sys
from pathlib import Path

from fractal_common.database.sessions import Database
from fractal_common.migrations import upgrade
from fractal_common.settings import ConfigurationError, NonEmpty, SettingsGroup, database_settings, load
from fractal_common.telemetry import configure_logging
from pydantic import SecretStr

from fractal_server.cli.errors import CommandError
from fractal_server.cli.init_data import seed
from fractal_server.settings_to_compute import follow_settings


class FirstStartSettings(SettingsGroup):
    """The administrator to make if there is no superuser yet."""

    FRACTAL_ADMIN_EMAIL: NonEmpty = "admin@example.org"
    FRACTAL_ADMIN_PASSWORD: SecretStr
    FRACTAL_ADMIN_PROJECT_DIR: Path


def main() -> None:
    configure_logging("first-start")
    try:
        settings = load(FirstStartSettings)
        upgrade()
        asyncio.run(_fill(settings))
    except (ConfigurationError, CommandError) as error:
        sys.exit(f"first start: {error}")


async def _fill(settings: FirstStartSettings) -> None:
    await seed(
        admin_email=settings.FRACTAL_ADMIN_EMAIL,
        admin_password=settings.FRACTAL_ADMIN_PASSWORD.get_secret_value(),
        admin_project_dir=str(settings.FRACTAL_ADMIN_PROJECT_DIR),
        resource="default",
        profile="default",
        quiet=True,
    )
    database = Database.connect(database_settings(), process="fractal-first-start", pool_size=1)
    try:
        await follow_settings(database)
    finally:
        await database.close()


if __name__ == "__main__":
    main()
