"""CommandError     the command cannot go on; its text is for the operator
├─ UsageError    … and is about what was asked for: printed to standard output, as scripts of earlier releases expect
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.exc import SQLAlchemyError

UNDEFINED_TABLE = "42P01"


class CommandError(Exception):
    """Cannot go on. The message is one line, or one line and what was wrong in detail."""


class UsageError(CommandError):
    """The options do not fit each other or what there is."""


def explain(error: "SQLAlchemyError") -> str:
    """What went wrong with the database, in one line for an operator."""
    from sqlalchemy.exc import DBAPIError, OperationalError

    original = error.orig if isinstance(error, DBAPIError) else None
    if getattr(original, "sqlstate", None) == UNDEFINED_TABLE:
        return "the database has no tables yet: run `fractalctl set-db` first"
    text = " ".join(str(original or error).split())
    where = "POSTGRES_HOST, POSTGRES_PORT, POSTGRES_DB, POSTGRES_USER, POSTGRES_PASSWORD"
    return f"{text} (see {where})" if isinstance(error, OperationalError) else text
