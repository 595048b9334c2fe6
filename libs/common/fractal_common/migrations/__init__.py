"""One Alembic history for both schemas."""

from pathlib import Path

from alembic import command
from alembic.config import Config

INI = Path(__file__).with_name("alembic.ini")


def upgrade() -> None:
    """Bring the configured database to the newest revision; idempotent."""
    command.upgrade(Config(str(INI)), "head")
