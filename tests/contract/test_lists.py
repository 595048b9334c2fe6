"""What lists show of an object is what its own route shows (the lists are written by Postgres)."""

from typing import Any

import pytest

from .server import Person, Server

DIFFICULT = "»Ünïcode« \"quoted\" \\ {'a': 1}\ttab \u2028 🔬"


@pytest.fixture
def task(user: Person, server: Server) -> dict[str, Any]:
    body = {
        "name": f"{DIFFICULT} {server.new_email()}",
        "version": "1",
        "command_parallel": "python3 /task.py",
        "command_non_parallel": "python3 /task.py",
        "args_schema_parallel": {"title": DIFFICULT, "properties": {"x": {"default": 1.0}, "y": {"default": None}}},
        "args_schema_version": "pydantic_v2",
        "meta_parallel": {"mem": "1G", "deep": [1, 2.5, True, None, {}]},
        "input_types": {"3D": True},
        "category": DIFFICULT,
        "tags": ["one", "two"],
        "authors": DIFFICULT,
    }
    return user.api.post("/api/v2/task/", body)


def only(found: list[dict[str, Any]], identifier: int) -> dict[str, Any]:
    (one,) = [each for each in found if each["id"] == identifier]
    return one


def test_tasks_and_task_groups(user: Person, task: dict[str, Any]) -> None:
    listed = only(user.api.get("/api/v2/task/"), task["id"])
    assert listed.keys() < task.keys()
    assert listed == {name: task[name] for name in listed}
    groups = dict(user.api.get("/api/v2/task-group/"))
    (group,) = groups[task["name"]]
    whole = user.api.get(f"/api/v2/task-group/{group['id']}/")
    assert group | {"task_list": []} == whole | {"task_list": []}
    assert group["task_list"] == [listed]
    assert group["pinned_package_versions_pre"] == {}
    assert dict(user.api.get("/api/v2/task-group/", only_active=True, only_owner=True)) == {task["name"]: [group]}


def test_activities(user: Person, task: dict[str, Any]) -> None:
    group = task["taskgroupv2_id"]
    activity = user.api.post(f"/api/v2/task-group/{group}/deactivate/", status=202)
    path = "/api/v2/task-group/activity/"
    expected = user.api.get(f"{path}{activity['id']}/")
    for filters in (
        {},
        {"task_group_activity_id": activity["id"]},
        {"taskgroupv2_id": group},
        {"pkg_name": task["name"][2:8].upper()},
        {"action": "deactivate"},
        {"timestamp_started_min": expected["timestamp_started"]},
    ):
        assert user.api.get(path, **filters) == [expected], filters
    assert user.api.http.get(path, params={"status": "OK"}).json() == [expected]
    assert user.api.http.get(path, params={"status": "failed"}).json() == []
    for filters in ({"taskgroupv2_id": group + 1}, {"action": "collect"}, {"pkg_name": "100%"}):
        assert user.api.get(path, **filters) == [], filters


def test_projects_and_workflows(user: Person, task: dict[str, Any]) -> None:
    project = user.api.post("/api/v2/project/", {"name": "A project", "description": DIFFICULT})
    assert user.api.get("/api/v2/project/") == [project]
    base = f"/api/v2/project/{project['id']}/workflow/"
    assert user.api.get(base) == []
    empty = user.api.post(base, {"name": "b"})
    full = user.api.post(base, {"name": DIFFICULT, "description": DIFFICULT})
    items = [
        {"task_id": task["id"], "args_parallel": {"x": 1.0, "text": DIFFICULT}, "type_filters": {"3D": True}},
        {"task_id": task["id"], "meta_parallel": {"cpus": 4}, "alias": DIFFICULT, "description": DIFFICULT},
    ]
    user.api.post(f"{base}{full['id']}/wftask/", items)
    user.api.post(f"{base}{full['id']}/star/", status=200)
    expected = [user.api.get(f"{base}{one['id']}/") for one in (full, empty)]
    for workflow in expected:
        for item in workflow["task_list"]:
            del item["warning"]  # of which lists know nothing
    assert user.api.get(base) == expected
    assert [len(workflow["task_list"]) for workflow in expected] == [2, 0]
    assert expected[0]["task_list"][0]["task"] == task


def test_jobs(server: Server, user: Person) -> None:
    task = user.api.puppet_task(server.folder, f"puppet {server.new_email()}")
    project, dataset, workflow = user.api.prepared(server.folder, task, images=2)
    base = f"/api/v2/project/{project}"
    ids = {"workflow_id": workflow, "dataset_id": dataset}
    body = {
        "worker_init": DIFFICULT,
        "attribute_filters": {"well": [DIFFICULT, "A"], "n": [1, 2]},
        "type_filters": {"3D": False},
    }
    first = user.api.post(f"{base}/job/submit/", body, 202, **ids)["id"]
    user.api.finished(project, first)
    second = user.api.submit(project, dataset, workflow)
    user.api.finished(project, second)
    expected = [user.api.get(f"{base}/job/{one}/") for one in (second, first)]
    for path in ("/api/v2/job/", f"{base}/job/", f"{base}/workflow/{workflow}/job/"):
        assert user.api.get(path) == expected, path
    for path in ("/api/v2/job/", f"{base}/job/"):
        assert user.api.get(path, log=False) == [job | {"log": None} for job in expected], path


def test_a_long_list_is_sent_whole(user: Person) -> None:
    """In pieces, of texts that are longer in UTF-8 than in characters."""
    texts = [f"{number} {DIFFICULT * 200}" for number in range(120)]
    for number, text in enumerate(texts):
        user.api.post("/api/v2/project/", {"name": f"p{number}", "description": text})
    answer = user.api.http.get("/api/v2/project/")
    assert int(answer.headers["content-length"]) == len(answer.content) > 3 * 2**18
    assert [project["description"] for project in answer.json()] == texts[::-1]
    dataset = {"name": "d", "zarr_dir": f"{user.project_dir}/d"}
    images = [{"zarr_url": f"{user.project_dir}/d/{number}", "attributes": {"x": DIFFICULT}} for number in range(5000)]
    base = f"/api/v2/project/{answer.json()[0]['id']}/dataset/"
    made = user.api.post(f"{base}import/", {**dataset, "images": images})
    exported = user.api.http.get(f"{base}{made['id']}/export/")
    assert int(exported.headers["content-length"]) == len(exported.content)
    assert exported.json() == {**dataset, "images": [one | {"origin": None, "types": {}} for one in images]}
