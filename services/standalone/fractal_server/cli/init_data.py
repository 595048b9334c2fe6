"""First data of an instance: default group, resource and profile, administrator."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fractal_auth.accounts import create_admin, ensure_group
from fractal_auth.domain.passwords import InvalidPassword
from fractal_common.database.models import Profile, Resource, User
from fractal_common.database.sessions import Database
from fractal_common.settings import DirectorySettings, app_settings, database_settings, load
from fractal_jobs.api.schemas.compute import profile_adapter, resource_adapter
from pydantic import ValidationError
from sqlalchemy import func, select, update

Say = Callable[[str], object]


def _silent(text: str) -> None:
    """For a stack that seeds itself."""


class InitError(Exception):
    """Cannot go on; the message is for the operator."""


def default_resource() -> dict[str, Any]:
    """A local resource; directories from the settings if given, else below the working directory."""
    directories = load(DirectorySettings)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {
        "name": "Local resource",
        "type": "local",
        "jobs_local_dir": str(directories.FRACTAL_RUNNER_WORKING_BASE_DIR or Path.cwd() / "data-jobs"),
        "tasks_local_dir": str(directories.FRACTAL_TASKS_DIR or Path.cwd() / "data-tasks"),
        "tasks_python_config": {"default_version": version, "versions": {version: _interpreter()}},
        "jobs_poll_interval": 0,
        "jobs_runner_config": {},
        "tasks_pixi_config": {},
    }


def _interpreter() -> str:
    """The interpreter behind a virtual environment: task environments must not depend on ours."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def default_profile() -> dict[str, Any]:
    return {"resource_type": "local", "name": "Local profile"}


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
        InitError: nothing after the failing step was done.
    """
    say: Say = _silent if quiet else print
    database = Database.connect(database_settings(), process="fractalctl")
    try:
        await _default_group(database, say)
        given = [admin_email, admin_password, admin_project_dir]
        if any(given) and not all(given):
            raise InitError(
                "You must provide either both or none of `--admin-email`, `--admin-pwd` and "
                "`--admin-project-dir`. Exit."
            )
        if admin_email and admin_password and admin_project_dir:
            await _admin(database, say, admin_email, admin_password, admin_project_dir)
        if (resource is None) != (profile is None):
            raise InitError("You must provide both --resource and --profile. Exit.")
        if resource is not None and profile is not None:
            await _compute(database, say, resource, profile, quiet=quiet)
    finally:
        await database.close()


async def _default_group(database: Database, say: Say) -> None:
    name = app_settings().FRACTAL_DEFAULT_GROUP_NAME
    if name is None:
        say("SKIP because 'settings.FRACTAL_DEFAULT_GROUP_NAME=None'")
        return
    async with database.transaction() as session:
        created = await ensure_group(session, name)
    say(f"Created group '{name}'" if created else f"Group '{name}' already exists, skip.")


async def _admin(database: Database, say: Say, email: str, password: str, project_dir: str) -> None:
    async with database.transaction() as session:
        try:
            skipped = await create_admin(
                session,
                email=email,
                password=password,
                project_dir=project_dir,
                default_group=app_settings().FRACTAL_DEFAULT_GROUP_NAME,
            )
        except InvalidPassword as error:
            raise InitError(f"--admin-pwd: {error}") from None
    say(skipped or f"Created administrator '{email}'.")


async def _compute(database: Database, say: Say, resource: str, profile: str, *, quiet: bool) -> None:
    async with database.transaction() as session:
        existing = await session.scalar(select(func.count()).select_from(Resource))
        if existing:
            if quiet:
                return
            raise InitError(f"There exist already num_resources={existing} resources. Exit.")
        resource_data = _data("resource", resource, default_resource(), say)
        profile_data = _data("profile", profile, default_profile(), say)
        try:
            valid_resource = resource_adapter.validate_python(resource_data)
        except ValidationError as error:
            raise InitError(f"ERROR: Invalid resource data.\nOriginal error:\n{error}") from None
        try:
            valid_profile = profile_adapter.validate_python(profile_data)
        except ValidationError as error:
            raise InitError(f"ERROR: Invalid profile data.\nOriginal error:\n{error}") from None
        row = Resource(**valid_resource.model_dump(mode="json"))
        session.add(row)
        await session.flush()
        profile_row = Profile(**valid_profile.model_dump(mode="json"), resource_id=row.id)
        session.add(profile_row)
        await session.flush()
        changed = await session.scalars(update(User).values(profile_id=profile_row.id).returning(User.email))
        for email in changed:
            say(f"Now set profile_id={profile_row.id} for {email}.")


def _data(kind: str, source: str, default: dict[str, Any], say: Say) -> Any:
    if source == "default":
        say(f"Prepared default {kind} data.")
        return default
    try:
        data = json.loads(Path(source).read_text())
    except (OSError, ValueError) as error:
        raise InitError(f"--{kind} {source}: {error}") from None
    say(f"Read {kind} data from {source}.")
    return data
