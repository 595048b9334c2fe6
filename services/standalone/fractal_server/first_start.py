"""`python -m fractal_server.first_start`: a database ready to serve, at the first start and at every later one.

Migrations, then what is missing of: default group, administrator, default resource and profile. Idempotent.
"""

import asyncio
import sys
from pathlib import Path

from fractal_common.migrations import upgrade
from fractal_common.settings import ConfigurationError, NonEmpty, SettingsGroup, load
from fractal_common.telemetry import configure_logging
from pydantic import SecretStr

from fractal_server.cli.init_data import InitError, seed


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
        asyncio.run(
            seed(
                admin_email=settings.FRACTAL_ADMIN_EMAIL,
                admin_password=settings.FRACTAL_ADMIN_PASSWORD.get_secret_value(),
                admin_project_dir=str(settings.FRACTAL_ADMIN_PROJECT_DIR),
                resource="default",
                profile="default",
                quiet=True,
            )
        )
    except (ConfigurationError, InitError) as error:
        sys.exit(f"first start: {error}")


if __name__ == "__main__":
    main()
