"""Identity §15: every sub-command but `start`, as a process, on a real database."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fractal_common.database.models import Job, Profile, Resource, Task, TaskGroup, TaskGroupActivity, User, UserGroup
from fractal_common.settings import DatabaseSettings
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from tests.integration.auth.mailbox import smtp_server

from .fractalctl import BIN, fractalctl, initialise

COMMANDS = [
    *("start", "openapi", "set-db", "init-db-data", "update-db-data", "recent", "sync-core-tasks"),
    *("submissions-enable", "submissions-disable"),
]


@pytest.fixture
def session(database_settings: DatabaseSettings):
    engine = create_engine(database_settings.url)
    with Session(engine) as session:
        yield session
    engine.dispose()


def resource(name: str) -> Resource:
    return Resource(name=name, type="local", jobs_local_dir="/j", tasks_local_dir="/t", jobs_poll_interval=5)


def user(email: str) -> User:
    return User(email=email, hashed_password="x", project_dirs=["/p"], is_active=True)


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


def job(status: str, start: datetime, end: datetime | None) -> Job:
    dumps = {name: {} for name in ("project_dump", "workflow_dump", "dataset_dump")}
    return Job(
        user_email="a@example.org",
        status=status,
        start_timestamp=start,
        end_timestamp=end,
        first_task_index=0,
        last_task_index=0,
        attribute_filters={},
        type_filters={},
        fractal_server_version="2.24.2",
        **dumps,
    )


def test_recent_shows_what_runs_and_what_has_just_ended(
    configured: Path, bare_environment: dict[str, str], session: Session
) -> None:
    def recent(*options: str) -> list[str]:
        done = fractalctl(configured, bare_environment, "recent", *options)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    nothing = "No fractal-server job or task-group activity during the last {} minutes."
    assert recent() == ["## Summary", nothing.format(20), ""]
    now = datetime.now(UTC).replace(microsecond=0)

    def ago(minutes: int) -> datetime:
        return now - timedelta(minutes=minutes)

    def shown(minutes: int) -> str:
        return ago(minutes).strftime("%Y-%m-%d %H:%M:%S")

    session.add_all([job("done", ago(50), ago(5)), job("failed", ago(9), ago(8)), job("done", ago(90), ago(40))])
    session.flush()
    somebody = user("b@example.org")
    session.add(somebody)
    session.flush()
    activity = {"user_id": somebody.id, "pkg_name": "pkg", "version": "1.0", "fractal_server_version": "2.24.2"}
    session.add(
        TaskGroupActivity(status="OK", action="collect", timestamp_started=ago(7), timestamp_ended=ago(6), **activity)
    )
    session.commit()
    first, failed, old = session.scalars(select(Job.id).order_by(Job.id))
    (collected,) = session.scalars(select(TaskGroupActivity.id))
    times = {first: f"{shown(50)}/{shown(5)}", failed: f"{shown(9)}/{shown(8)}", old: f"{shown(90)}/{shown(40)}"}

    def line(number: int, status: str) -> str:
        return f"ID={number} by a@example.org, current status: {status}, start/end time: {times[number]}."

    activities = [
        "## Recent task-group activities",
        f"ID={collected} by b@example.org, collect, pkg 1.0, current status: OK, "
        f"start/end time: {shown(7)}/{shown(6)}.",
        "",
    ]
    there_were = "There were fractal-server jobs and/or task-group activities during the last {} minutes."
    jobs = ["## Recent jobs", line(first, "done"), line(failed, "failed"), ""]
    assert recent() == ["## Summary", there_were.format(20), "", *jobs, *activities]
    jobs.insert(2, line(old, "done"))
    assert recent("--minutes", "60") == ["## Summary", there_were.format(60), "", *jobs, *activities]
    assert recent("--minutes", "0") == ["## Summary", nothing.format(0), ""]

    session.add(job("submitted", ago(500), None))
    session.commit()
    running = session.scalars(select(Job.id).where(Job.status == "submitted")).one()
    times[running] = f"{shown(500)}/-"
    assert recent("--minutes", "1") == [
        "## Summary",
        "There are ongoing fractal-server jobs and/or task-group activities.",
        "",
        "## Recent jobs",
        line(running, "submitted"),
        "",
    ]


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


@pytest.fixture
def groups(session: Session) -> dict[str, int]:
    """Ids: two resources, two user groups, and task groups of the package `pkg-a` with the tasks X and Y in each."""
    here, there = resource("here"), resource("there")
    everybody, few, owner = UserGroup(name="everybody"), UserGroup(name="few"), user("owner@example.org")
    session.add_all([here, there, everybody, few, owner])
    session.flush()
    for where, shared, version in [
        (here, everybody, "1.0"),
        (here, everybody, "2.0"),
        (here, few, "1.0"),
        (there, everybody, "1.0"),
    ]:
        group = TaskGroup(
            user_id=owner.id,
            user_group_id=shared.id,
            resource_id=where.id,
            origin="other",
            pkg_name="pkg-a",
            version=version,
        )
        session.add(group)
        session.flush()
        session.add_all(
            [
                Task(
                    name=name,
                    type="parallel",
                    version=version,
                    taskgroupv2_id=group.id,
                    meta_parallel={},
                    meta_non_parallel={},
                )
                for name in ("X", "Y")
            ]
        )
    session.commit()
    return {"here": here.id, "there": there.id, "everybody": everybody.id, "few": few.id}


def core(session: Session) -> set[tuple[str, str, str, str]]:
    session.rollback()
    statement = (
        select(Resource.name, UserGroup.name, TaskGroup.version, Task.name)
        .join(TaskGroup, TaskGroup.id == Task.taskgroupv2_id)
        .join(Resource, Resource.id == TaskGroup.resource_id)
        .join(UserGroup, UserGroup.id == TaskGroup.user_group_id)
        .where(Task.is_core)
    )
    return {(row[0], row[1], row[2], row[3]) for row in session.execute(statement)}


def test_core_tasks_are_those_of_the_lists(
    configured: Path, bare_environment: dict[str, str], session: Session, groups: dict[str, int]
) -> None:
    def sync(pairs: list[tuple[str, str]], **lists: Any) -> subprocess.CompletedProcess[str]:
        named = [{"resource_id": groups[where], "user_group_id": groups[who]} for where, who in pairs]
        options: list[str] = []
        for name, content in {"resources-and-groups": named, **lists}.items():
            (configured / f"{name}.json").write_text(json.dumps(content))
            options += [f"--{name}", f"{name}.json"]
        return fractalctl(configured, bare_environment, "sync-core-tasks", *options)

    x1, y1, x2 = ["pkg-a", "1.0", "X"], ["pkg-a", "1.0", "Y"], ["pkg-a", "2.0", "X"]
    unmatched = ["pkg_a", "1.0", "X"]
    done = sync([("here", "everybody")], base=[x1, y1, unmatched], add=[x2], remove=[y1])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Initial count of core tasks: 0\nFinal count of core tasks: 2\n"
    assert core(session) == {("here", "everybody", "1.0", "X"), ("here", "everybody", "2.0", "X")}

    # Again, elsewhere too: what is not named any more is core no longer.
    done = sync([("here", "few"), ("there", "everybody")], add=[y1])
    assert done.stdout == "Initial count of core tasks: 2\nFinal count of core tasks: 2\n"
    kept = {("here", "few", "1.0", "Y"), ("there", "everybody", "1.0", "Y")}
    assert core(session) == kept

    # Two of one name, package, version and resource: nothing is changed.
    done = sync([("here", "everybody"), ("here", "few")], base=[x1])
    assert done.returncode == 1
    assert done.stderr.startswith("An exception took place, exit without updating the database. Original error: ")
    assert "'X' of pkg-a 1.0" in done.stderr
    groups["nowhere"] = 98765
    done = sync([("nowhere", "few")], base=[x1])
    assert (done.returncode, "Resource [98765] not found." in done.stderr) == (1, True)
    assert core(session) == kept

    for lists, text in [
        ({"base": [["pkg", "1.0"]]}, "--base base.json: "),
        ({"add": {"x": 1}}, "--add add.json: "),
        ({"remove": [[1, 2, 3]]}, "--remove remove.json: [0][0] "),
    ]:
        done = sync([("here", "few")], **lists)
        assert done.returncode == 1
        assert done.stderr.startswith(f"fractalctl: {text}")
        assert "Traceback" not in done.stderr
    (configured / "broken.json").write_text("{")
    for file in ("broken.json", "missing.json"):
        done = fractalctl(configured, bare_environment, "sync-core-tasks", "--resources-and-groups", file)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"fractalctl: --resources-and-groups {file}: ")
    assert core(session) == kept

    done = sync([], base=[])
    assert done.stdout == "Initial count of core tasks: 2\nFinal count of core tasks: 0\n"
    assert core(session) == set()


def test_a_failed_synchronisation_is_mailed(
    configured: Path, bare_environment: dict[str, str], groups: dict[str, int]
) -> None:
    pairs = [{"resource_id": groups["here"], "user_group_id": 98765}]
    (configured / "pairs.json").write_text(json.dumps(pairs))
    arguments = ("sync-core-tasks", "--resources-and-groups", "pairs.json")
    mail_folder = configured / "mail"
    mail_folder.mkdir()
    with smtp_server(mail_folder, bare_environment) as server:
        done = fractalctl(configured, bare_environment | server.settings, *arguments)
        assert done.returncode == 1
        (message,) = server.messages()
    assert message["Subject"] == "[Fractal, test instance] Failed core-tasks synchronization"
    assert "UserGroup [98765] not found." in str(message.get_payload())
    assert "UserGroup [98765] not found." in done.stderr


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
