"""`fractalctl submissions-enable` and `submissions-disable`."""

from fractal_common.database.sessions import Database
from fractal_common.settings import database_settings
from fractal_jobs.queries import compute

from fractal_server.cli.errors import CommandError


async def prevent(value: bool, *, resource: str | None) -> None:
    """Of one resource by its name, or of all.

    Raises:
        CommandError: there is no resource of that name; nothing was changed.
    """
    database = Database.connect(database_settings(), process="fractalctl", pool_size=1)
    try:
        async with database.transaction() as session:
            names = await compute.prevent_submissions(session, value, name=resource)
            if resource is not None and not names:
                known = [row.name for row in await compute.resources(session)]
                raise CommandError(f"fractalctl: --resource '{resource}': there is none of that name, but {known}.")
    finally:
        await database.close()
    if resource is None:
        print(f"All resources now have `prevent_new_submissions={value}`.")
    else:
        print(f"Resource '{resource}' now has `prevent_new_submissions={value}`.")
