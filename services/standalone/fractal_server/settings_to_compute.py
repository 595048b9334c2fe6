"""What variables say about the default resource is brought to its row whenever the backend starts."""

from fractal_common.database.models import Resource
from fractal_common.database.sessions import Database
from fractal_common.telemetry import get_logger
from fractal_jobs.queries import compute
from sqlalchemy.exc import SQLAlchemyError

from fractal_server.default_compute import DefaultCompute, default_compute, has_earlier, is_given

log = get_logger(__name__)


async def follow_settings(database: Database) -> None:
    """Update the default resource, or make it if there is no resource at all and the variables are of 2.16 or before.

    A database that cannot be asked now is left to the next start.

    Raises:
        ConfigurationError: a variable, or the file that it names, is wrong.
    """
    if not is_given():
        return
    default = default_compute()
    try:
        async with database.transaction() as session:
            rows = list(await compute.resources(session))
            if not rows:
                if has_earlier():
                    await compute.create_for_everybody(session, default.resource, default.profile, only_without=True)
                    _say(default, "resource.made")
                return
            row = next((row for row in rows if row.name == default.name), None)
            changed = row is not None and _update(row, default)
    except SQLAlchemyError as error:
        log.warning("resource.not_updated", error=str(error.__cause__ or error).strip())
        return
    if row is None:
        if has_earlier():
            log.warning("resource.not_updated", reason=f"there is no resource named '{default.name}'")
    elif changed:
        _say(default, "resource.updated")


def _update(row: Resource, default: DefaultCompute) -> bool:
    """Only fields that variables name; all else is the administrator's."""
    changed = {name: value for name, value in default.given.items() if getattr(row, name) != value}
    for name, value in changed.items():
        log.info("resource.field", resource=row.name, field=name, was=getattr(row, name), now=value)
        setattr(row, name, value)
    return bool(changed)


def _say(default: DefaultCompute, event: str) -> None:
    for note in default.notes:
        log.info(event, note=note)
