"""Identity §15: every sub-command but `start`, as a process, on a real database."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fractal_common.database.models import Profile, Resource, User, UserGroup
from sqlalchemy import select
from sqlalchemy.orm import Session

from .fractalctl import BIN, fractalctl, initialise
from .rows import resource, user

COMMANDS = [
    *("start", "openapi", "set-db", "init-db-data", "update-db-data", "recent", "sync-core-tasks"),
    *("submissions-enable", "submissions-disable"),
]


def test_help_needs_no_configuration(tmp_path: Path, bare_environment: dict[str, str]) -> None:
    done = fractalctl(tmp_path, bare_environment, "--help")
    assert done.returncode == 0
    assert "fractal-server commands" in done.stdout
    places = [done.stdout.index(f"\n    {name}") for name in COMMANDS]
    assert places == sorted(places)
    for name in COMMANDS:
        done = fractalctl(tmp_path, bare_environment, name, "-h")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"usage: fractalctl {name} ")


@pytest.mark.parametrize(
    "arguments",
    [(), ("no-such",), ("start", "--no-such"), ("recent", "--minutes", "x"), ("recent", "--minutes", "-1")],
)
def test_wrong_options_show_the_usage(
    tmp_path: Path, bare_environment: dict[str, str], arguments: tuple[str, ...]
) -> None:
    done = fractalctl(tmp_path, bare_environment, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: fractalctl")


@pytest.mark.parametrize(
    "arguments",
    [
        ("set-db",),
        ("init-db-data",),
        ("recent",),
        ("submissions-enable",),
        ("openapi",),
        ("sync-core-tasks", "--resources-and-groups", "pairs.json"),
    ],
)
def test_a_missing_setting_is_named_in_one_line(
    tmp_path: Path, bare_environment: dict[str, str], arguments: tuple[str, ...]
) -> None:
    (tmp_path / "pairs.json").write_text("[]")
    done = fractalctl(tmp_path, bare_environment, *arguments)
    assert done.returncode == 1
    name = "JWT_SECRET_KEY" if arguments == ("openapi",) else "POSTGRES_DB"
    assert done.stderr == f"fractalctl: {name}: Field required (environment or .fractal_server.env)\n"


@pytest.mark.parametrize("arguments", [("set-db",), ("init-db-data",), ("recent",), ("submissions-enable",)])
def test_a_database_that_cannot_be_reached_is_told_in_one_line(
    configured: Path, bare_environment: dict[str, str], arguments: tuple[str, ...]
) -> None:
    done = fractalctl(configured, bare_environment | {"POSTGRES_DB": "not_there"}, *arguments)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if " - INFO - " not in line]
    assert line.startswith("fractalctl: ")
    assert 'database "not_there" does not exist' in line
    assert "POSTGRES_DB" in line


def test_an_empty_database_needs_set_db(configured: Path, bare_environment: dict[str, str]) -> None:
    for arguments in (("recent",), ("init-db-data",), ("submissions-disable",)):
        done = fractalctl(configured, bare_environment | {"POSTGRES_DB": "postgres"}, *arguments)
        assert done.returncode == 1
        assert done.stderr == "fractalctl: the database has no tables yet: run `fractalctl set-db` first\n"


def test_openapi_writes_the_document(configured: Path, bare_environment: dict[str, str]) -> None:
    done = fractalctl(configured, bare_environment, "openapi")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    text = (configured / "openapi.json").read_text()
    assert "\n" not in text
    paths = json.loads(text)["paths"]
    assert {"/auth/token/login/", "/api/v2/project/", "/admin/v2/resource/"} <= paths.keys()
    done = fractalctl(
        configured, bare_environment | {"FRACTAL_DISABLE_BASIC_AUTH": "true"}, "openapi", "-f", "other.json"
    )
    assert done.returncode == 0
    assert paths.keys() - json.loads((configured / "other.json").read_text())["paths"].keys() == {"/auth/token/login/"}
    done = fractalctl(configured, bare_environment, "openapi", "--openapi-file", "no/such/folder.json")
    assert (done.returncode, done.stderr) == (
        1,
        "fractalctl: [Errno 2] No such file or directory: 'no/such/folder.json'\n",
    )


def test_init_db_data_makes_what_is_missing(
    configured: Path, bare_environment: dict[str, str], session: Session
) -> None:
    session.add(user("first@example.org"))
    session.commit()
    done = initialise(configured, bare_environment)
    assert done.returncode == 0, done.stderr
    made = session.scalars(select(Profile)).one()
    assert done.stdout.splitlines() == [
        "",
        "",
        "Prepared default resource data.",
        "Prepared default profile data.",
        *(f"Now set profile_id={made.id} for {email}." for email in ("first@example.org", "admin@example.org")),
        "",
    ]
    assert "Created group 'All'" in done.stderr
    row = session.scalars(select(Resource)).one()
    assert (row.name, row.type, row.jobs_poll_interval) == ("Local resource", "local", 0)
    assert (row.jobs_local_dir, row.tasks_local_dir) == (f"{configured}/data-jobs", f"{configured}/data-tasks")
    assert row.jobs_runner_config == {"parallel_tasks_per_job": None}
    admin = session.scalars(select(User).where(User.is_superuser)).one()
    assert (admin.email, admin.is_verified, admin.project_dirs) == ("admin@example.org", True, ["/projects"])
    assert [member.profile_id for member in session.scalars(select(User))] == [made.id, made.id]

    again = fractalctl(
        configured,
        bare_environment,
        *("init-db-data", "--admin-email", "b@example.org", "--admin-pwd", "1234", "--admin-project-dir", "/b"),
    )
    assert again.returncode == 0
    assert "Group 'All' already exists, skip." in again.stderr
    assert "'admin@example.org' superuser already exists, skip creation of 'b@example.org'" in again.stderr


@pytest.mark.parametrize(
    ("email", "password", "project_dir", "option"),
    [
        ("nobody", "1234", "/p", "--admin-email"),
        ("a@example.org", "123", "/p", "--admin-pwd"),
        ("a@example.org", "1234", "p", "--admin-project-dir"),
    ],
)
def test_an_administrator_that_cannot_be_is_refused(
    configured: Path, bare_environment: dict[str, str], email: str, password: str, project_dir: str, option: str
) -> None:
    admin = ("--admin-email", email, "--admin-pwd", password, "--admin-project-dir", project_dir)
    done = fractalctl(configured, bare_environment, "init-db-data", *admin)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"fractalctl: {option}: ")


def test_update_db_data_asks_before(configured: Path, bare_environment: dict[str, str], tmp_path: Path) -> None:
    def asked(text: str, cwd: Path = configured, environment: dict[str, str] | None = None) -> Any:
        return subprocess.run(
            [str(BIN / "fractalctl"), "update-db-data"],
            cwd=cwd,
            env=environment or bare_environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    done = asked("yes\n" * 5, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("This command will look for a '.fractal_server.env' file, but there isn't one in the")
    for answers, last in (("yes\nno\n", "no"), ("Yes\n", "Yes"), ("", "")):
        done = asked(answers)
        assert (done.returncode, done.stderr) == (1, f"Answer was '{last}'; exit.\n")
        assert done.stdout.count(" (yes/no)\n") == answers.count("yes\n") + 1
    done = asked("yes\n" * 5)
    assert done.stdout.count(" (yes/no)\n") == 5
    assert done.returncode == 1
    assert done.stderr.startswith("Update-db module for version 2.24.2 not found; exit.\n")


def test_update_db_data_runs_the_data_migration_of_the_release(
    configured: Path, bare_environment: dict[str, str], session: Session
) -> None:
    (configured / "2_24_2.py").write_text(
        "import psycopg\n"
        "from fractal_common.settings import database_settings\n"
        "def fix_db():\n"
        "    url = database_settings().url.set(drivername='postgresql').render_as_string(hide_password=False)\n"
        "    with psycopg.connect(url) as connection:\n"
        "        connection.execute(\"INSERT INTO auth.usergroup (name, timestamp_created) VALUES ('fixed', now())\")\n"
    )
    program = (
        "import fractal_server.data_migrations as here; here.__path__.append('.')\n"
        "from fractal_server.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "update-db-data"],
        cwd=configured,
        env=bare_environment,
        input="yes\n" * 5,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("OK, now starting data-migration script\n")
    assert list(session.scalars(select(UserGroup.name))) == ["fixed"]


def test_submissions_are_disabled_and_enabled(
    configured: Path, bare_environment: dict[str, str], session: Session
) -> None:
    session.add_all([resource("one"), resource("two")])
    session.commit()

    def prevented() -> dict[str, bool]:
        session.expire_all()
        session.rollback()
        return {row.name: row.prevent_new_submissions for row in session.scalars(select(Resource))}

    for arguments, output, expected in [
        (
            ("submissions-disable",),
            "All resources now have `prevent_new_submissions=True`.\n",
            {"one": True, "two": True},
        ),
        (
            ("submissions-enable", "--resource", "two"),
            "Resource 'two' now has `prevent_new_submissions=False`.\n",
            {"one": True, "two": False},
        ),
        (
            ("submissions-enable", "--all"),
            "All resources now have `prevent_new_submissions=False`.\n",
            {"one": False, "two": False},
        ),
        (
            ("submissions-disable", "--resource", "one"),
            "Resource 'one' now has `prevent_new_submissions=True`.\n",
            {"one": True, "two": False},
        ),
    ]:
        done = fractalctl(configured, bare_environment, *arguments)
        assert (done.returncode, done.stdout, done.stderr) == (0, output, "")
        assert prevented() == expected
    done = fractalctl(configured, bare_environment, "submissions-disable", "--resource", "three")
    assert done.returncode == 1
    assert done.stderr == "fractalctl: --resource 'three': there is none of that name, but ['one', 'two'].\n"
    assert prevented() == {"one": True, "two": False}


def test_an_old_script_may_skip_initial_data(configured: Path, bare_environment: dict[str, str]) -> None:
    done = fractalctl(configured, bare_environment, "set-db", "--skip-init-data")
    assert (done.returncode, done.stdout.endswith("END: alembic.config\n")) == (0, True)


def test_nobody_reads_a_misspelt_variable_and_the_command_says_so(
    configured: Path, bare_environment: dict[str, str]
) -> None:
    with (configured / ".fractal_server.env").open("a") as file:
        file.write("FRACTAL_TASK_DIR=/t\n")
    done = fractalctl(configured, bare_environment, "recent")
    assert done.returncode == 0
    assert "variable=FRACTAL_TASK_DIR reason=unknown did_you_mean=FRACTAL_TASKS_DIR" in done.stderr
    assert os.linesep.join(done.stdout.splitlines()[:1]) == "## Summary"
