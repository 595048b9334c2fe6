"""Identity §15.7: `fractalctl sync-core-tasks`."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from fractal_common.database.models import Resource, Task, TaskGroup, UserGroup
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.integration.auth.mailbox import smtp_server

from .fractalctl import fractalctl
from .rows import resource, user


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
