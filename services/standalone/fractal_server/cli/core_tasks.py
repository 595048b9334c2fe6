"""`fractalctl sync-core-tasks`."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fractal_auth.mail import notify
from fractal_common.database.sessions import Database
from fractal_common.settings import EmailSettings, database_settings, load
from fractal_jobs.queries import coresync
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from fractal_server.cli.errors import CommandError, explain

Text = Annotated[str, Field(min_length=1)]
Triple = tuple[Text, Text, Text]
"""Package name, version, task name; all of them literally."""
T = TypeVar("T")


class ResourceAndGroup(BaseModel):
    """Task groups of this resource that are shared with this user group."""

    model_config = ConfigDict(extra="forbid")
    resource_id: Annotated[int, Field(gt=0, lt=2**31)]
    user_group_id: Annotated[int, Field(gt=0, lt=2**31)]


def sync_core_tasks(pairs_file: str, base: str | None, add: str | None, remove: str | None) -> None:
    """Exactly the tasks named by (base ∪ add) ∖ remove, of the given resources and groups, are core tasks afterwards.

    Raises:
        CommandError: a file is wrong, a resource or group does not exist, or two tasks would be core in one place;
            nothing was changed.
    """
    pairs = _read(pairs_file, "--resources-and-groups", TypeAdapter(list[ResourceAndGroup]))
    triples = TypeAdapter(list[Triple])
    wanted = set(_read(base, "--base", triples)) | set(_read(add, "--add", triples))
    wanted -= set(_read(remove, "--remove", triples))
    try:
        asyncio.run(_sync([(pair.resource_id, pair.user_group_id) for pair in pairs], sorted(wanted)))
    except (coresync.CoreSyncError, SQLAlchemyError) as error:
        text = explain(error) if isinstance(error, SQLAlchemyError) else str(error)
        message = f"An exception took place, exit without updating the database. Original error: {text}"
        if load(EmailSettings).public is not None:
            asyncio.run(notify("Failed core-tasks synchronization", message))
        raise CommandError(message) from None


async def _sync(pairs: list[tuple[int, int]], wanted: list[Triple]) -> None:
    database = Database.connect(database_settings(), process="fractalctl", pool_size=1)
    try:
        async with database.transaction() as session:
            print(f"Initial count of core tasks: {await coresync.count(session)}", flush=True)
            await coresync.replace(session, pairs, wanted)
            final = await coresync.count(session)
    finally:
        await database.close()
    print(f"Final count of core tasks: {final}")


def _read(file: str | None, option: str, form: TypeAdapter[list[T]]) -> list[T]:
    if file is None:
        return []
    try:
        content: Any = json.loads(Path(file).read_text())
        return form.validate_python(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "".join(f"[{part!r}]" for part in first["loc"])
        raise CommandError(f"fractalctl: {option} {file}: {place} {first['msg']}, not {first['input']!r}") from None
    except (OSError, ValueError) as error:
        raise CommandError(f"fractalctl: {option} {file}: {error}") from None
