"""api §22.1: who may submit which tasks, and what a refused submission says."""

from typing import Any

import pytest

from .server import Person, Server

NOT_AUTHORIZED = (
    "You are not authorized to perform this action. If you think this is by mistake, please contact the project owner."
)
Ids = tuple[int, int, int]


def new_task(person: Person, server: Server, **fields: Any) -> dict[str, Any]:
    body = {"name": f"task {server.new_email()}", "version": "1", "command_parallel": "true", **fields}
    return person.api.post("/api/v2/task/", body)


@pytest.fixture
def tasks(server: Server, user: Person) -> list[dict[str, Any]]:
    return [new_task(user, server) for _ in range(3)]


@pytest.fixture
def ids(user: Person, tasks: list[dict[str, Any]]) -> Ids:
    """Project, dataset without images, workflow of the three tasks."""
    project = user.api.post("/api/v2/project/", {"name": "p"})["id"]
    dataset = user.api.post(f"/api/v2/project/{project}/dataset/", {"name": "d"})["id"]
    workflow = user.api.post(f"/api/v2/project/{project}/workflow/", {"name": "w"})["id"]
    items = [{"task_id": task["id"]} for task in tasks]
    user.api.post(f"/api/v2/project/{project}/workflow/{workflow}/wftask/", items)
    return project, dataset, workflow


def submit(person: Person, ids: Ids, body: Any, status: int = 422) -> Any:
    project, dataset, workflow = ids
    query = {"workflow_id": workflow, "dataset_id": dataset}
    return person.api.post(f"/api/v2/project/{project}/job/submit/", body, status, **query)


def switch(person: Person, task: dict[str, Any], verb: str) -> None:
    person.api.post(f"/api/v2/task-group/{task['taskgroupv2_id']}/{verb}/", status=202)


def test_an_inactive_task_counts_inside_the_range_only(user: Person, tasks: list[dict[str, Any]], ids: Ids) -> None:
    switch(user, tasks[1], "deactivate")
    inactive = {"detail": f"Error: task {tasks[1]['id']} ({tasks[1]['name']}) is not active."}
    for body in (
        {},
        {"first_task_index": 1},
        {"last_task_index": 1},
        {"first_task_index": 1, "last_task_index": 1},
        {"first_task_index": None, "last_task_index": None},
    ):
        assert submit(user, ids, body) == inactive, body
    assert user.api.get(f"/api/v2/project/{ids[0]}/job/") == []
    for body in ({"first_task_index": 2}, {"last_task_index": 0}):
        job = submit(user, ids, body, 202)
        assert (job["first_task_index"], job["last_task_index"]) == (body.get("first_task_index", 0),) * 2
        user.api.finished(ids[0], job["id"])
    switch(user, tasks[1], "reactivate")
    user.api.finished(ids[0], submit(user, ids, {}, 202)["id"])


def test_a_viewer_with_write_permission_may_not_submit(user: Person, other: Person, ids: Ids) -> None:
    base = f"/api/v2/project/{ids[0]}/"
    user.api.post(f"{base}guest/", {"permissions": "rw"}, email=other.email)
    other.api.post(f"{base}access/accept/", status=200)
    assert submit(other, ids, {}, 403) == {"detail": NOT_AUTHORIZED}
    user.api.patch(f"{base}guest/", {"permissions": "rwx"}, email=other.email)
    job = submit(other, ids, {}, 202)
    assert job["user_email"] == other.email
    user.api.finished(ids[0], job["id"])


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"last_task_index": 3}, "last_task_index=3 cannot be larger than (num_tasks-1)=2"),
        ({"first_task_index": 3}, "first_task_index=3 cannot be larger than last_task_index=2"),
        ({"first_task_index": 0, "last_task_index": 9}, "last_task_index=9 cannot be larger than (num_tasks-1)=2"),
        ({"first_task_index": None, "last_task_index": 3}, "last_task_index=3 cannot be larger than (num_tasks-1)=2"),
    ],
)
def test_indices_out_of_range_are_told_in_two_lines(user: Person, ids: Ids, body: Any, error: str) -> None:
    text = "Invalid values for first_task_index or last_task_index (with num_tasks=3).\n"
    assert submit(user, ids, body) == {"detail": f"{text}Original error: {error}"}


@pytest.mark.parametrize(
    ("body", "kind", "location"),
    [
        ([], "model_attributes_type", ["body"]),
        ("text", "model_attributes_type", ["body"]),
        ({"first_task_index": "a", "last_task_index": 1}, "int_parsing", ["body", "first_task_index"]),
        ({"first_task_index": 1, "last_task_index": "a"}, "int_parsing", ["body", "last_task_index"]),
        ({"first_task_index": [1], "last_task_index": 1}, "int_type", ["body", "first_task_index"]),
        ({"first_task_index": -1}, "greater_than_equal", ["body", "first_task_index"]),
        ({"first_task_index": 1.5}, "int_from_float", ["body", "first_task_index"]),
        ({"first_task_index": 2, "last_task_index": 1}, "value_error", ["body"]),
        ({"first_task_index": "2", "last_task_index": 1}, "value_error", ["body"]),
        ({"slurm_account": 1}, "string_type", ["body", "slurm_account"]),
        ({"worker_init": None}, "string_type", ["body", "worker_init"]),
        ({"attribute_filters": {"a": None}}, "list_type", ["body", "attribute_filters", "a"]),
        ({"cpus": 1}, "extra_forbidden", ["body", "cpus"]),
    ],
)
def test_bodies_that_are_no_submission(user: Person, ids: Ids, body: Any, kind: str, location: list[Any]) -> None:
    (error,) = submit(user, ids, body)["detail"]
    assert (error["type"], error["loc"]) == (kind, location)


def test_indices_that_are_texts_are_compared_as_numbers(user: Person, ids: Ids) -> None:
    job = submit(user, ids, {"first_task_index": "0", "last_task_index": "2"}, 202)
    assert (job["first_task_index"], job["last_task_index"]) == (0, 2)
    user.api.finished(ids[0], job["id"])


def test_filters_that_contradict_a_task_count_inside_the_range_only(
    server: Server, user: Person, tasks: list[dict[str, Any]], ids: Ids
) -> None:
    project, _, workflow = ids
    wftask = user.api.get(f"/api/v2/project/{project}/workflow/{workflow}/")["task_list"][2]
    path = f"/api/v2/project/{project}/workflow/{workflow}/wftask/{wftask['id']}/"
    user.api.patch(path, {"type_filters": {"3D": False}})
    user.api.patch(f"/api/v2/task/{tasks[2]['id']}/", {"input_types": {"3D": True}})
    assert submit(user, ids, {})["detail"] == (
        "Incompatible type filters.\nOriginal error: Cannot merge type filters `{'3D': True}` (from task) and "
        "`{'3D': False}` (from workflowtask)."
    )
    user.api.finished(project, submit(user, ids, {"last_task_index": 1}, 202)["id"])


def test_a_project_stays_with_its_resource(server: Server, user: Person, ids: Ids) -> None:
    admin = server.admin
    resource = admin.get("/admin/v2/resource/")[0]
    copy = {name: value for name, value in resource.items() if name not in ("id", "timestamp_created")}
    other = admin.post("/admin/v2/resource/", copy | {"name": f"other {user.id}"})["id"]
    profile = {"name": f"other {user.id}", "resource_type": "local"}
    profile_id = admin.post(f"/admin/v2/resource/{other}/profile/", profile)["id"]
    admin.patch(f"/auth/users/{user.id}/", {"profile_id": profile_id})
    elsewhere = {"detail": "Project resource does not match with user's resource"}
    assert submit(user, ids, {}) == elsewhere
    # Told before the workflow is looked for.
    assert submit(user, (ids[0], ids[1], 98765), {}) == elsewhere
    admin.patch(f"/auth/users/{user.id}/", {"profile_id": server.profile_id})
    admin.delete(f"/admin/v2/profile/{profile_id}/")
    admin.delete(f"/admin/v2/resource/{other}/")


def test_the_account_of_a_job_is_the_first_unless_given(server: Server, user: Person, ids: Ids) -> None:
    assert user.api.patch("/auth/current-user/", {"slurm_accounts": ["first", "second"]})
    for body, account in (({}, "first"), ({"slurm_account": "second"}, "second"), ({"slurm_account": None}, "first")):
        job = submit(user, ids, body, 202)
        assert job["slurm_account"] == account
        user.api.finished(ids[0], job["id"])
    refused = {"detail": "SLURM account 'third' is not among those available to the current user"}
    assert submit(user, ids, {"slurm_account": "third"}) == refused


def test_groups_of_tasks_in_the_range_were_used_at_the_start_of_the_job(
    user: Person, tasks: list[dict[str, Any]], ids: Ids
) -> None:
    def used() -> list[str]:
        paths = [f"/api/v2/task-group/{task['taskgroupv2_id']}/" for task in tasks]
        return [user.api.get(path)["timestamp_last_used"] for path in paths]

    before = used()
    job = submit(user, ids, {"first_task_index": 1, "last_task_index": 1}, 202)
    assert used() == [before[0], job["start_timestamp"], before[2]]
    user.api.finished(ids[0], job["id"])
