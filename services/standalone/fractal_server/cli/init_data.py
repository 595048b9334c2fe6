"""`fractalctl init-db-data`: default group, first administrator, resource and profile."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fractal_auth.accounts import create_admin, ensure_group
from fractal_auth.api.schemas import UserCreate
from fractal_auth.domain.passwords import InvalidPassword
from fractal_common.database.models import Resource
from fractal_common.database.sessions import Database
from fractal_common.settings import app_settings, database_settings, given_values
from fractal_jobs.api.schemas.compute import profile_adapter, resource_adapter
from fractal_jobs.queries import compute
from pydantic import BaseModel, TypeAdapter, ValidationError

from fractal_server.cli.errors import CommandError, UsageError
from fractal_server.default_compute import default_compute

Say = Callable[[str], object]

log = logging.getLogger("fractal_server.init_db_data")
OPTIONS = {"email": "--admin-email", "password": "--admin-pwd", "project_dirs": "--admin-project-dir"}
ALL_OR_NONE = "You must provide either both or none of `--admin-email`, `--admin-pwd` and `--admin-project-dir`. Exit."


def _silent(text: str) -> None:
    """For a stack that seeds itself."""


async def seed(
    *,
    admin_email: str | None,
    admin_password: str | None,
    admin_project_dir: str | None,
    resource: str | None,
    profile: str | None,
    quiet: bool = False,
) -> None:
    """Idempotent with `quiet`; without it an existing resource is an error, as the command line has it.

    Raises:
        CommandError: nothing after the failing step was done.
    """
    say: Say = _silent if quiet else print
    database = Database.connect(database_settings(), process="fractalctl", pool_size=1)
    try:
        say("")
        await _default_group(database)
        say("")
        given = [admin_email, admin_password, admin_project_dir]
        if any(one is not None for one in given) and None in given:
            raise UsageError(ALL_OR_NONE)
        if admin_email is None:
            admin_email, admin_password, admin_project_dir = _earlier_admin(say)
        if admin_email is not None and admin_password is not None and admin_project_dir is not None:
            await _admin(database, admin_email, admin_password, admin_project_dir)
        if (resource is None) != (profile is None):
            raise UsageError("You must provide both --resource and --profile. Exit.")
        if resource is not None and profile is not None:
            await _compute(database, say, resource, profile, quiet=quiet)
            say("")
    finally:
        await database.close()


async def _default_group(database: Database) -> None:
    name = app_settings().FRACTAL_DEFAULT_GROUP_NAME
    if name is None:
        log.info("SKIP because 'settings.FRACTAL_DEFAULT_GROUP_NAME=None'")
        return
    async with database.transaction() as session:
        created = await ensure_group(session, name)
    log.info(f"Created group '{name}'" if created else f"Group '{name}' already exists, skip.")


def _earlier_admin(say: Say) -> tuple[str, str, str] | tuple[None, None, None]:
    """As earlier releases had it: an administrator from two variables, made without being asked for."""
    given = given_values()
    email, password = given.get("FRACTAL_DEFAULT_ADMIN_EMAIL"), given.get("FRACTAL_DEFAULT_ADMIN_PASSWORD")
    if email is None or password is None:
        return None, None, None
    project_dir = str(Path.cwd() / "data-projects")
    say(f"FRACTAL_DEFAULT_ADMIN_EMAIL={email} became the first administrator, with project directory {project_dir}.")
    return email, password, project_dir


async def _admin(database: Database, email: str, password: str, project_dir: str) -> None:
    try:
        valid = UserCreate(email=email, password=password, project_dirs=[project_dir])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = OPTIONS.get(str(first["loc"][0]), "--admin-email")
        raise CommandError(f"fractalctl: {option}: {first['msg'].removeprefix('Value error, ')}") from None
    async with database.transaction() as session:
        try:
            skipped = await create_admin(
                session,
                email=valid.email,
                password=password,
                project_dir=str(valid.project_dirs[0]),
                default_group=app_settings().FRACTAL_DEFAULT_GROUP_NAME,
            )
        except InvalidPassword as error:
            raise CommandError(f"fractalctl: --admin-pwd: {error}") from None
    if skipped is None:
        log.info(f"Created superuser '{valid.email}'")
    else:
        log.log(logging.INFO if "skip creation" in skipped else logging.WARNING, skipped)


async def _compute(database: Database, say: Say, resource: str, profile: str, *, quiet: bool) -> None:
    async with database.transaction() as session:
        existing: list[Resource] = list(await compute.resources(session))
        if existing:
            if quiet:
                return
            raise UsageError(f"There exist already num_resources={len(existing)} resources. Exit.")
        default = default_compute() if "default" in (resource, profile) else None
        valid_resource = _valid("resource", resource, default and default.resource, resource_adapter, say)
        valid_profile = _valid("profile", profile, default and default.profile, profile_adapter, say)
        for note in default.notes if default is not None else ():
            say(f"{note}.")
        profile_id, emails = await compute.create_for_everybody(session, valid_resource, valid_profile)
    for email in emails:
        say(f"Now set profile_id={profile_id} for {email}.")


def _valid(
    kind: str, source: str, default: dict[str, Any] | None, adapter: TypeAdapter[BaseModel], say: Say
) -> dict[str, Any]:
    if source == "default":
        data: Any = default
        say(f"Prepared default {kind} data.")
    else:
        try:
            data = json.loads(Path(source).read_text())
        except (OSError, ValueError) as error:
            raise CommandError(f"fractalctl: --{kind} {source}: {error}") from None
        say(f"Read {kind} data from {source}.")
    try:
        return adapter.validate_python(data).model_dump(mode="json")
    except ValidationError as error:
        raise CommandError(f"ERROR: Invalid {kind} data.\nOriginal error:\n{error}") from None
