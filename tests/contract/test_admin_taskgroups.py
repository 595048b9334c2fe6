"""api §25.4–§25.6: task groups and activities of everybody, lifecycle on behalf of owners, reset."""

from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.api import Api
from tests.wheels import make_wheel

from .server import Person, Server

GROUP_KEYS = {
    *("id", "task_list", "user_email", "user_group_id", "origin", "pkg_name", "version", "python_version"),
    *("pixi_version", "path", "venv_path", "archive_path", "pip_extras", "pinned_package_versions_pre"),
    *("pinned_package_versions_post", "in_use", "active", "timestamp_created", "timestamp_last_used"),
    *("user_id", "resource_id"),
}
_numbers = count(1)


def new_task(person: Person, private: bool = True, **fields: Any) -> dict[str, Any]:
    body = {"name": f"grouped {next(_numbers)}", "version": "1", "command_parallel": "run", **fields}
    return person.api.post("/api/v2/task/", body, private=private)


def collected(person: Person, folder: Path, name: str, **fields: str) -> dict[str, Any]:
    """A group made from a wheel."""
    done = person.api.ended(person.api.collect(make_wheel(folder, name), **fields))
    assert done["status"] == "OK", done["log"]
    return person.api.get(f"/api/v2/task-group/{done['taskgroupv2_id']}/")


def listed(admin: Api, path: str = "/admin/v2/task-group/", **query: Any) -> list[int]:
    return [item["id"] for item in admin.call("GET", path, params=query)["items"]]


def use(person: Person, task: int, times: int = 1) -> tuple[int, int, int]:
    project = person.api.post("/api/v2/project/", {"name": f"uses {next(_numbers)}"})["id"]
    dataset = person.api.post(f"/api/v2/project/{project}/dataset/", {"name": "d"})
    image = {"zarr_url": f"{dataset['zarr_dir']}/a.zarr"}
    person.api.post(f"/api/v2/project/{project}/dataset/{dataset['id']}/images/", image)
    workflow = person.api.post(f"/api/v2/project/{project}/workflow/", {"name": "w"})["id"]
    path = f"/api/v2/project/{project}/workflow/{workflow}/wftask/"
    person.api.post(path, [{"task_id": task} for _ in range(times)])
    return project, dataset["id"], workflow


def test_every_filter_of_the_list(admin: Api, user: Person) -> None:
    first, second = new_task(user), new_task(user, private=False)
    ids = [task["taskgroupv2_id"] for task in (first, second)]
    shared = user.api.get(f"/api/v2/task-group/{ids[1]}/")["user_group_id"]
    use(user, second["id"])
    user.api.post(f"/api/v2/task-group/{ids[0]}/deactivate/", status=202)
    resource = admin.get("/admin/v2/resource/")[0]["id"]
    mine = {"user_id": user.id}
    for query, expected in (
        ({"task_group_id": ids[0]}, [ids[0]]),
        (mine, ids),
        ({**mine, "user_group_id": shared}, [ids[1]]),
        ({**mine, "private": True}, [ids[0]]),
        ({**mine, "private": False}, [ids[1]]),
        ({**mine, "private": False, "user_group_id": shared}, [ids[1]]),
        ({**mine, "active": True}, [ids[1]]),
        ({**mine, "active": False}, [ids[0]]),
        ({**mine, "pkg_name": first["name"].upper()}, [ids[0]]),
        ({**mine, "origin": "other"}, ids),
        ({**mine, "origin": "pypi"}, []),
        ({**mine, "resource_id": resource}, ids),
        ({**mine, "resource_id": 98765}, []),
        ({**mine, "in_use": True}, [ids[1]]),
        ({**mine, "in_use": False}, [ids[0]]),
        ({**mine, "timestamp_last_used_max": "2026-01-01T00:00:00Z"}, []),
        ({**mine, "timestamp_last_used_min": "2026-01-01T00:00:00Z"}, ids),
        ({"user_id": 2**40}, []),
    ):
        assert listed(admin, **query) == expected, query
    used = admin.get(f"/admin/v2/task-group/{ids[0]}/")["timestamp_last_used"]
    assert listed(admin, **mine, timestamp_last_used_max=used) == [ids[0]]
    answer = admin.get("/admin/v2/task-group/", 422, user_group_id=shared, private=True)
    assert answer == {"detail": f"Cannot get task groups with both user_group_id={shared} and private=True."}
    page = admin.get("/admin/v2/task-group/", user_id=user.id, page=2, page_size=1)
    assert (page["total_count"], [group["id"] for group in page["items"]]) == (2, [ids[1]])
    assert page["items"][0] == admin.get(f"/admin/v2/task-group/{ids[1]}/")


def test_one_group_read_and_shared(server: Server, admin: Api, user: Person) -> None:
    task = new_task(user)
    path = f"/admin/v2/task-group/{task['taskgroupv2_id']}/"
    read = admin.get(path)
    assert read.keys() == GROUP_KEYS
    assert (read["user_id"], read["user_email"], read["user_group_id"]) == (user.id, user.email, None)
    assert read["task_list"] == [task]
    assert admin.get("/admin/v2/task-group/98765/", 404) == {"detail": "TaskGroup 98765 not found"}
    assert admin.patch("/admin/v2/task-group/98765/", {}, 404) == {"detail": "TaskGroupV2 98765 not found"}
    assert admin.patch(path, {}) == read

    answer = admin.patch(path, {"user_group_id": 98765}, 404)
    assert answer == {"detail": "UserGroup 98765 not found"}
    group = admin.post("/auth/group/", {"name": f"readers {user.id}"})["id"]
    me = admin.get("/auth/current-user/")["id"]
    answer = admin.patch(path, {"user_group_id": group}, 403)
    assert answer == {"detail": f"User {me} does not belong to UserGroup {group}"}
    admin.post(f"/auth/group/{group}/add-user/{me}/", status=200)
    assert admin.patch(path, {"user_group_id": group}) == {**read, "user_group_id": group}
    assert admin.patch(path, {"user_group_id": None}) == read
    (error,) = admin.patch(path, {"active": False}, 422)["detail"]
    assert (error["type"], error["loc"]) == ("extra_forbidden", ["body", "active"])


def test_activities_of_everybody_newest_first(admin: Api, user: Person) -> None:
    group = new_task(user)["taskgroupv2_id"]
    name = user.api.get(f"/api/v2/task-group/{group}/")["pkg_name"]
    first = user.api.post(f"/api/v2/task-group/{group}/deactivate/", status=202)
    between = datetime.now(UTC).isoformat()
    second = user.api.post(f"/api/v2/task-group/{group}/reactivate/", status=202)
    ids = [second["id"], first["id"]]
    path, mine = "/admin/v2/task-group/activity/", {"user_id": user.id}
    for query, expected in (
        (mine, ids),
        ({"task_group_activity_id": first["id"]}, ids[1:]),
        ({"task_group_activity_id": 0}, []),
        ({"taskgroupv2_id": group}, ids),
        ({**mine, "taskgroupv2_id": 0}, ids),
        ({**mine, "pkg_name": name.upper()}, ids),
        ({**mine, "pkg_name": ""}, ids),
        ({**mine, "pkg_name": "no such package"}, []),
        ({**mine, "status": "OK"}, ids),
        ({**mine, "status": "failed"}, []),
        ({**mine, "action": "deactivate"}, ids[1:]),
        ({**mine, "timestamp_started_min": between}, ids[:1]),
    ):
        assert listed(admin, path, **query) == expected, query
    assert set(ids) <= set(listed(admin, path, user_id=0))
    page = admin.get(path, user_id=user.id, page=2, page_size=1)
    assert (page["total_count"], page["items"]) == (2, [first])
    assert admin.call("GET", f"{path}?status=ok", 422)["detail"][0]["type"] == "enum"


def act(admin: Api, group: int, action: str, status: int = 202, body: Any = None) -> Any:
    return admin.post(f"/admin/v2/task-group/{group}/{action}/", body, status)


def test_refusals_on_behalf_of_owners_in_their_order(server: Server, admin: Api, user: Person) -> None:
    for action in ("deactivate", "reactivate", "delete", "reset/pip", "reset/pixi"):
        answer = act(admin, 98765, action, 404, {} if action.startswith("reset") else None)
        assert answer == {"detail": "TaskGroupV2 98765 not found"}
    folder = server.folder / f"busy-{user.id}"
    folder.mkdir()
    task = user.api.puppet_task(folder, f"busy {user.id}")
    group = user.api.get(f"/api/v2/task/{task}/")["taskgroupv2_id"]
    ids = user.api.prepared(folder, task, images=1, sleep=60)
    more = [{"task_id": task, "args_parallel": {"marks": str(folder / "marks")}}]
    user.api.post(f"/api/v2/project/{ids[0]}/workflow/{ids[2]}/wftask/", more)
    in_use = {"detail": f"TaskV2 {task} is still in use"}
    assert act(admin, group, "delete", 422) == in_use
    job = user.api.submit(*ids)
    busy = {"detail": "Cannot act on task group because 2 submitted jobs use its tasks."}
    assert act(admin, group, "deactivate", 422) == busy
    assert act(admin, group, "delete", 422) == busy
    assert user.api.post(f"/api/v2/task-group/{group}/delete/", status=422) == in_use
    assert act(admin, group, "reactivate", 422) == {
        "detail": "Cannot reactivate a task group with task_group.active=True."
    }
    active = {"detail": "Cannot re-collect an active task group. Please deactivate it first."}
    assert act(admin, group, "reset/pip", 422, {}) == active
    assert act(admin, group, "reset/pixi", 422, {}) == active
    admin.patch(f"/admin/v2/job/{job}/", {"status": "failed"})

    done = act(admin, group, "deactivate")
    assert (done["status"], done["action"], done["user_id"]) == ("OK", "deactivate", user.id)
    assert done["log"] == ("Task group has task_group.origin='other', set task_group.active to False and exit.")
    assert done["timestamp_ended"] is not None
    inactive = {"detail": "Cannot deactivate a task group with task_group.active=False."}
    assert act(admin, group, "deactivate", 422) == inactive
    wrong = "Invalid task_group.origin='other'"
    assert act(admin, group, "reset/pip", 422, {}) == {"detail": f"{wrong} (expected pip)."}
    assert act(admin, group, "reset/pixi", 422, {}) == {"detail": f"{wrong} (expected pixi)."}
    assert act(admin, group, "reactivate")["log"].endswith("set task_group.active to True and exit.")
    assert user.api.get(f"/api/v2/task-group/{group}/")["active"] is True

    user.api.delete(f"/api/v2/project/{ids[0]}/")
    pending = act(admin, group, "delete")
    assert (pending["status"], pending["taskgroupv2_id"], pending["log"]) == ("pending", group, None)
    ended = user.api.ended(pending)
    assert (ended["status"], ended["taskgroupv2_id"]) == ("OK", None)
    assert admin.get(f"/admin/v2/task-group/{group}/", 404) == {"detail": f"TaskGroup {group} not found"}
    assert listed(admin, "/admin/v2/task/", id=task) == []


def test_an_owner_without_valid_profile_is_told_and_nothing_begins(
    server: Server, admin: Api, user: Person, tmp_path: Path
) -> None:
    group = collected(user, tmp_path, f"fractal-moved-{user.id}")["id"]
    before = listed(admin, "/admin/v2/task-group/activity/", taskgroupv2_id=group)
    admin.patch(f"/auth/users/{user.id}/", {"profile_id": None})
    answer = act(admin, group, "deactivate", 422)
    text = f"User {user.email} is not associated to a computational profile. Please contact an admin."
    assert answer == {"detail": text}
    assert listed(admin, "/admin/v2/task-group/activity/", taskgroupv2_id=group) == before
    assert admin.get(f"/admin/v2/task-group/{group}/")["active"] is True
    admin.patch(f"/auth/users/{user.id}/", {"profile_id": server.profile_id})


def test_the_life_of_a_package_in_the_hands_of_an_administrator(admin: Api, user: Person, tmp_path: Path) -> None:
    pins = '{"packaging": "25.0"}'
    read = collected(user, tmp_path, f"fractal-managed-{user.id}", pinned_package_versions_post=pins)
    group, venv = read["id"], Path(read["venv_path"])
    assert read["pinned_package_versions_post"] == {"packaging": "25.0"}
    assert list(venv.glob("lib/python*/site-packages/packaging-25.0.dist-info"))

    # Active until the environment is gone: for its owner it would be inactive at once.
    pending = act(admin, group, "deactivate")
    assert (pending["status"], pending["user_id"]) == ("pending", user.id)
    done = user.api.ended(pending)
    assert (done["status"], venv.exists()) == ("OK", False)
    assert admin.get(f"/admin/v2/task-group/{group}/")["active"] is False

    done = user.api.ended(act(admin, group, "reactivate"))
    assert done["status"] == "OK", done["log"]
    assert list(venv.glob("lib/python*/site-packages/packaging-25.0.dist-info"))
    assert admin.get(f"/admin/v2/task-group/{group}/")["active"] is True
    user.api.ended(act(admin, group, "deactivate"))

    pending = act(admin, group, "reset/pip", 202, {"pinned_package_versions_pre": '{"packaging": "24.2"}'})
    assert (pending["status"], pending["action"]) == ("pending", "reset")
    ongoing = act(admin, group, "reset/pip", 422, {})["detail"]
    head, line = ongoing.split("\n")
    assert head == "Found ongoing activities for the same task-group:"
    assert line.startswith("1) Action=reset, status=") and line.endswith("+00:00.")
    done = user.api.ended(pending)
    assert done["status"] == "OK", done["log"]
    after = admin.get(f"/admin/v2/task-group/{group}/")
    assert (after["active"], after["task_list"]) == (True, read["task_list"])
    # Pins are replaced, those that are not given are gone.
    assert (after["pinned_package_versions_pre"], after["pinned_package_versions_post"]) == ({"packaging": "24.2"}, {})
    assert list(venv.glob("lib/python*/site-packages/packaging-24.2.dist-info"))
    assert not list(venv.glob("lib/python*/site-packages/packaging-25.0.dist-info"))

    path = Path(read["path"])
    assert path.exists()
    assert user.api.ended(act(admin, group, "delete"))["status"] == "OK"
    assert not path.exists()


def test_a_reset_that_fails_leaves_the_group_inactive(admin: Api, user: Person, tmp_path: Path) -> None:
    read = collected(user, tmp_path, f"fractal-broken-{user.id}")
    group = read["id"]
    user.api.ended(act(admin, group, "deactivate"))
    done = user.api.ended(act(admin, group, "reset/pip", 202, {"pinned_package_versions_pre": '{"packaging": "0.0"}'}))
    assert (done["status"], done["taskgroupv2_id"]) == ("failed", group)
    assert "packaging==0.0" in done["log"]
    after = admin.get(f"/admin/v2/task-group/{group}/")
    assert (after["active"], Path(read["venv_path"]).exists()) == (False, False)
    assert Path(read["path"]).exists()
    assert user.api.ended(act(admin, group, "reset/pip", 202, {}))["status"] == "OK"
    assert admin.get(f"/admin/v2/task-group/{group}/")["active"] is True


@pytest.mark.parametrize(
    ("body", "kind", "loc"),
    [
        ({"pinned_package_versions_pre": {"a": "1"}}, "json_type", ["pinned_package_versions_pre"]),
        ({"pinned_package_versions_post": "{"}, "json_invalid", ["pinned_package_versions_post"]),
        ({"pinned_package_versions_post": "[]"}, "dict_type", ["pinned_package_versions_post"]),
        ({"pinned_package_versions_post": '{"a": ""}'}, "string_too_short", ["pinned_package_versions_post", "a"]),
        (
            {"pinned_package_versions_pre": '{" ": "1"}'},
            "string_too_short",
            ["pinned_package_versions_pre", " ", "[key]"],
        ),
        ({"pinned_package_versions_pre": '{"a": "1", " a": "2"}'}, "value_error", ["pinned_package_versions_pre"]),
        ({"python_version": "3.8"}, "literal_error", ["python_version"]),
        ({"pixi_version": "1"}, "extra_forbidden", ["pixi_version"]),
        (None, "missing", []),
    ],
)
def test_overrides_that_cannot_be_understood(admin: Api, body: Any, kind: str, loc: list[str]) -> None:
    (error,) = admin.call("POST", "/admin/v2/task-group/1/reset/pip/", 422, json=body)["detail"]
    assert (error["type"], error["loc"]) == (kind, ["body", *loc])


def test_an_interpreter_that_the_resource_does_not_have(admin: Api, user: Person, tmp_path: Path) -> None:
    group = collected(user, tmp_path, f"fractal-python-{user.id}")["id"]
    user.api.ended(act(admin, group, "deactivate"))
    answer = act(admin, group, "reset/pip", 422, {"python_version": "3.9"})
    assert answer == {"detail": "Python version 3.9 is not available for this Fractal resource."}
    assert act(admin, group, "reset/pixi", 422, {}) == {
        "detail": "Invalid task_group.origin='wheel-file' (expected pixi)."
    }
