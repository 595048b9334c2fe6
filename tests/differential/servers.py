"""The two servers, side by side on one Postgres: ours as the embedded stack, the reference from PyPI."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
from fractal_server.default_compute import interpreter
from psycopg import sql

from benchmarks.reference import EMAIL, Reference

from .normal import STEP, Normaliser
from .pair import PASSWORD, Pair, Side

PEOPLE = {
    "u1": {},
    "u2": {},
    "guest": {"is_guest": True},
    "stranger": {"profile_id": None},
    "unverified": {"is_verified": False},
    "inactive": {},
}
SETTINGS = {
    "FRACTAL_DEFAULT_GROUP_NAME": "All",
    "FRACTAL_ENABLE_TASK_GROUP_RESET": "true",
    "JWT_EXPIRE_SECONDS": "36000",
}
DATABASES = {"ours": "fractal", "theirs": "reference"}


@contextmanager
def both(folder: Path, python: str, venv: Path | None) -> Generator[Pair]:
    """Both started, with the same people; stopped at the end."""
    folder.chmod(0o755)
    home = folder / "home"
    shared = folder / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    _embedded(home, "up")
    try:
        database = database_of(home)
        reference = Reference(folder / "reference", python, database, venv=venv, settings=SETTINGS)
        try:
            tables = _spread_ids(database)
            runtime = json.loads((home / "runtime.json").read_text())
            ours = Side(
                "ours", runtime["url"], Normaliser(tables, _folders(home, shared, home / "jobs", home / "tasks"))
            )
            folders = _folders(
                reference.folder, shared, reference.folder / "data-jobs", reference.folder / "data-tasks"
            )
            theirs = Side("reference", str(reference.http.base_url), Normaliser(tables, folders))
            ours.login("admin", EMAIL, (home / "secrets" / "admin_password").read_text())
            theirs.login("admin", EMAIL, reference.password)
            for side in (theirs, ours):
                _same_python(side)
                _people(side, shared)
            pair = Pair(theirs, ours)
            yield pair
            theirs.close()
            ours.close()
        finally:
            reference.close()
    finally:
        _embedded(home, "down")


def database_of(home: Path) -> dict[str, str]:
    return {
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(json.loads((home / "ports.json").read_text())["postgres"]),
        "POSTGRES_USER": "fractal",
        "POSTGRES_PASSWORD": (home / "secrets" / "postgres_password").read_text(),
    }


def connect(database: dict[str, str], side: str) -> psycopg.Connection[Any]:
    """To the database of `ours` or `theirs`; tables are found without their schema."""
    connection = psycopg.connect(
        host=database["POSTGRES_HOST"],
        port=database["POSTGRES_PORT"],
        user=database["POSTGRES_USER"],
        password=database["POSTGRES_PASSWORD"],
        dbname=DATABASES[side],
        autocommit=True,
    )
    connection.execute("SET search_path = public, jobs, auth")
    return connection


def _spread_ids(database: dict[str, str]) -> list[str]:
    """Ids of each table start at a million of its own, in both databases."""
    query = """
        SELECT c.relname, pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), 'id')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id'
        WHERE c.relkind = 'r' AND n.nspname IN ('public', 'jobs', 'auth')
    """
    found: dict[str, dict[str, str]] = {}
    for side in DATABASES:
        with connect(database, side) as connection:
            found[side] = {name: sequence for name, sequence in connection.execute(query) if sequence}
    tables = sorted(found["theirs"])
    for side, sequences in found.items():
        with connect(database, side) as connection:
            for number, table in enumerate(tables):
                if table in sequences:
                    start = (number + 1) * STEP + 1
                    name = sql.Identifier(*sequences[table].replace('"', "").split("."))
                    connection.execute(sql.SQL("ALTER SEQUENCE {} RESTART {}").format(name, sql.Literal(start)))
    return tables


def _same_python(side: Side) -> None:
    """One interpreter for the environments of both."""
    resource = side.people["admin"].get("/admin/v2/resource/").raise_for_status().json()[0]
    number, _ = resource.pop("id"), resource.pop("timestamp_created")
    python = {"default_version": "3.11", "versions": {"3.11": interpreter()}}
    body = resource | {"tasks_python_config": python}
    side.people["admin"].put(f"/admin/v2/resource/{number}/", json=body).raise_for_status()
    side.variables["default_resource"] = number


def _people(side: Side, shared: Path) -> None:
    profile = side.people["admin"].get("/admin/v2/profile/").raise_for_status().json()[0]["id"]
    admin = side.people["admin"].get("/auth/current-user/").raise_for_status().json()["id"]
    body = {"project_dirs": [str(shared / "admin")]}
    side.people["admin"].patch(f"/auth/users/{admin}/", json=body).raise_for_status()
    side.people["nobody"] = httpx.Client(base_url=side.url, timeout=60)
    for who, changes in PEOPLE.items():
        directory = str(shared / who)
        body = {"email": f"{who}@example.org", "password": PASSWORD, "project_dirs": [directory, f"{directory}-more"]}
        user = side.people["admin"].post("/auth/register/", json=body).raise_for_status().json()
        side.variables[who] = user["id"]
        side.normaliser.remember(who, user["id"])
        wanted = {"is_verified": True, "profile_id": profile, **changes}
        given = {key: value for key, value in wanted.items() if value is not None}
        side.people["admin"].patch(f"/auth/users/{user['id']}/", json=given).raise_for_status()
        side.login(who, body["email"], PASSWORD)
    # Only now: who is inactive cannot log in.
    side.people["admin"].patch(f"/auth/users/{side.variables['inactive']}/", json={"is_active": False})
    side.variables |= {"shared": str(shared), "profile": profile, "python": sys.executable}


def _folders(base: Path, shared: Path, jobs: Path, tasks: Path) -> dict[str, str]:
    return {str(jobs): "<jobs>", str(tasks): "<tasks>", str(shared): "<shared>", str(base): "<base>"}


def _embedded(home: Path, action: str) -> None:
    environment = {**os.environ, **SETTINGS, "FRACTAL_HOME": str(home)}
    argv = [sys.executable, "-m", "fractal_server.embedded", action]
    subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)
