"""api §25.2: jobs of everybody; one declared failed by an administrator is stopped, and stays failed."""

import io
import os
import signal
import time
import zipfile
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.api import Api
from tests.processes import processes_of, until

from .server import Person, Server

Ids = tuple[int, int, int]
MARKED = "\nThis job was manually marked as 'failed' by an admin ("


def prepared(server: Server, person: Person, images: int = 2, **arguments: Any) -> Ids:
    folder = server.folder / f"admin-jobs-{server.new_email()}"
    folder.mkdir()
    task = person.api.puppet_task(folder, f"puppet {server.new_email()}")
    return person.api.prepared(folder, task, images=images, **arguments)


def marks(server: Server, ids: Ids, person: Person) -> list[str]:
    project, _, workflow = ids
    (task,) = person.api.get(f"/api/v2/project/{project}/workflow/{workflow}/")["task_list"]
    file = Path(task["args_parallel"]["marks"])
    return file.read_text().split() if file.exists() else []


def listed(admin: Api, **filters: Any) -> list[int]:
    return [job["id"] for job in admin.call("GET", "/admin/v2/job/", params=filters)["items"]]


def units(person: Person, ids: Ids) -> list[str]:
    project, dataset, workflow = ids
    (task,) = person.api.get(f"/api/v2/project/{project}/workflow/{workflow}/")["task_list"]
    status = f"/api/v2/project/{project}/status/run/"
    pair = {"dataset_id": dataset, "workflowtask_id": task["id"]}
    run = person.api.get(status, **pair)[-1]
    return [unit["status"] for unit in person.api.get(f"{status}{run['id']}/units/", **pair)["items"]]


def test_every_filter_of_the_list(server: Server, admin: Api, user: Person, other: Person) -> None:
    mine, theirs = prepared(server, user), prepared(server, other)
    first = user.api.submit(*mine)
    user.api.finished(mine[0], first)
    between = datetime.now(UTC).isoformat()
    second = other.api.submit(*theirs)
    other.api.finished(theirs[0], second)
    third = user.api.submit(*mine)
    user.api.finished(mine[0], third)

    assert listed(admin, project_id=mine[0]) == [third, first]
    assert listed(admin, id=second) == [second]
    assert listed(admin, dataset_id=mine[1]) == [third, first]
    assert listed(admin, workflow_id=theirs[2]) == [second]
    assert listed(admin, project_owner_id=user.id) == [third, first]
    assert listed(admin, job_user_email=other.email) == [second]
    name, domain = other.email.split("@")
    assert listed(admin, job_user_email=f"{name}@{domain.upper()}") == [second]
    assert listed(admin, job_user_email=f"{name.upper()}@{domain}") == []
    assert listed(admin, project_owner_id=user.id, status="done") == [third, first]
    assert listed(admin, project_owner_id=user.id, status="failed") == []
    resource = admin.get("/admin/v2/resource/")[0]["id"]
    assert {first, second, third} <= set(listed(admin, resource_id=resource))
    assert listed(admin, resource_id=98765) == []
    assert listed(admin, project_id=mine[0], start_timestamp_max=between) == [first]
    assert listed(admin, project_id=mine[0], start_timestamp_min=between) == [third]
    assert listed(admin, project_id=mine[0], end_timestamp_max=between) == [first]
    assert listed(admin, project_id=mine[0], end_timestamp_min=between) == [third]
    exact = admin.get(f"/admin/v2/job/{first}/")["start_timestamp"]
    assert listed(admin, project_id=mine[0], start_timestamp_min=exact, start_timestamp_max=exact) == [first]
    assert listed(admin, id=2**40) == []

    page = admin.get("/admin/v2/job/", project_id=mine[0], page=2, page_size=1)
    assert (page["current_page"], page["page_size"], page["total_count"]) == (2, 1, 2)
    assert [job["id"] for job in page["items"]] == [first]
    assert page["items"][0] == user.api.get(f"/api/v2/project/{mine[0]}/job/{first}/")
    assert [job["log"] for job in admin.get("/admin/v2/job/", id=first, log=False)["items"]] == [None]
    assert admin.get("/admin/v2/job/", project_id=mine[0], page=9, page_size=2)["items"] == []

    user.api.delete(f"/api/v2/project/{mine[0]}/")
    assert listed(admin, job_user_email=user.email) == [third, first]
    assert listed(admin, job_user_email=user.email, resource_id=resource) == []
    assert listed(admin, project_owner_id=user.id) == []


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("start_timestamp_min=2026-01-01T00:00:00", "timezone_aware"),
        ("end_timestamp_max=2026-01-01", "timezone_aware"),
        ("status=ended", "enum"),
        ("job_user_email=nobody", "value_error"),
        ("page=one", "int_parsing"),
    ],
)
def test_filters_that_cannot_be_understood(admin: Api, query: str, kind: str) -> None:
    (error,) = admin.call("GET", f"/admin/v2/job/?{query}", 422)["detail"]
    assert (error["type"], error["loc"]) == (kind, ["query", query.split("=")[0]])


def test_a_bad_page_is_told_before_the_caller_is_looked_at(anonymous: Api, user: Person) -> None:
    for api in (anonymous, user.api):
        assert api.get("/admin/v2/job/", 422, page=0)["detail"].startswith("Invalid pagination parameters.")
        api.get("/admin/v2/job/", 422, page=2)
    anonymous.get("/admin/v2/job/", 401, page="one")
    user.api.get("/admin/v2/job/", 403, page="one")


def test_one_job_and_its_archive(server: Server, admin: Api, user: Person) -> None:
    ids = prepared(server, user)
    job = user.api.submit(*ids)
    finished = user.api.finished(ids[0], job)
    assert admin.get(f"/admin/v2/job/{job}/") == finished
    answer = admin.http.get(f"/admin/v2/job/{job}/download/")
    assert answer.headers["content-type"] == "application/x-zip-compressed"
    folder = finished["working_dir"].rpartition("/")[2]
    assert answer.headers["content-disposition"] == f"attachment;filename={folder}_archive.zip"
    assert "workflow.log" in zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    user.api.delete(f"/api/v2/project/{ids[0]}/")
    gone = admin.get(f"/admin/v2/job/{job}/")
    assert (gone["project_id"], gone["workflow_id"], gone["dataset_id"]) == (None, None, None)
    assert admin.http.get(f"/admin/v2/job/{job}/download/").content == answer.content
    for part in ("", "download/", "stop/"):
        assert admin.get(f"/admin/v2/job/98765/{part}", 404) == {"detail": "Job 98765 not found"}
    assert admin.get(f"/admin/v2/job/{2**40}/", 404) == {"detail": f"Job {2**40} not found"}


def test_a_job_in_progress_shows_its_log_if_asked(server: Server, admin: Api, user: Person) -> None:
    ids = prepared(server, user, sleep=60)
    job = user.api.submit(*ids)
    until(lambda: len(marks(server, ids, user)) == 2, "both units run")
    assert admin.get(f"/admin/v2/job/{job}/")["log"] is None
    assert "START" in admin.get(f"/admin/v2/job/{job}/", show_tmp_logs=True)["log"]
    assert admin.http.get(f"/admin/v2/job/{job}/stop/").status_code == 202
    stopped = user.api.finished(ids[0], job)
    assert (stopped["status"], "shutdown" in stopped["log"]) == ("failed", True)
    answer = admin.get(f"/admin/v2/job/{job}/stop/", 422)
    assert answer == {"detail": "Cannot stop job: expected status 'submitted', but current status is 'failed'."}


def test_only_a_submitted_job_can_be_declared_failed_and_nothing_else(server: Server, admin: Api, user: Person) -> None:
    ids = prepared(server, user, sleep=60)
    job = user.api.submit(*ids)
    path = f"/admin/v2/job/{job}/"
    assert admin.patch(path, {"status": "done"}, 422) == {"detail": "Cannot set job status to done"}
    assert admin.patch(path, {"status": "submitted"}, 422) == {"detail": "Cannot set job status to submitted"}
    assert [error["type"] for error in admin.patch(path, {}, 422)["detail"]] == ["missing"]
    (error,) = admin.patch(path, {"status": "failed", "log": "x"}, 422)["detail"]
    assert (error["type"], error["loc"]) == ("extra_forbidden", ["body", "log"])
    assert admin.get(path)["status"] == "submitted"
    assert admin.patch("/admin/v2/job/98765/", {"status": "failed"}, 404) == {"detail": "Job 98765 not found"}

    before = datetime.now(UTC)
    failed = admin.patch(path, {"status": "failed"})
    assert (failed["id"], failed["status"], failed["executor_error_log"]) == (job, "failed", None)
    assert failed["log"].startswith(MARKED)
    told = datetime.fromisoformat(failed["log"].removeprefix(MARKED).removesuffix(")."))
    ended = datetime.fromisoformat(failed["end_timestamp"])
    assert before <= told == ended <= datetime.now(UTC) + timedelta(seconds=1)
    answer = admin.patch(path, {"status": "failed"}, 422)
    assert answer == {"detail": f"Job {job} has status job.status='failed' != 'submitted'."}


def test_a_job_declared_failed_is_stopped_and_its_late_results_do_not_count(
    server: Server, admin: Api, user: Person
) -> None:
    ids = prepared(server, user, images=12, sleep=2)
    job = user.api.submit(*ids)
    until(lambda: len(marks(server, ids, user)) > 0, "a unit runs")
    failed = admin.patch(f"/admin/v2/job/{job}/", {"status": "failed"})
    assert set(units(user, ids)) == {"failed"}

    # The dataset is free at once, and the work ends soon: what runs is ended, what waits never begins.
    begun = len(marks(server, ids, user))
    assert begun < 12
    again = user.api.submit(*ids)
    assert again != job
    admin.patch(f"/admin/v2/job/{again}/", {"status": "failed"})
    time.sleep(5)
    after = len(marks(server, ids, user))
    time.sleep(3)
    assert len(marks(server, ids, user)) == after < 24
    for one in (job, again):
        assert admin.get(f"/admin/v2/job/{one}/")["status"] == "failed"
    assert admin.get(f"/admin/v2/job/{job}/") == failed
    assert set(units(user, ids)) == {"failed"}
    archive = admin.http.get(f"/admin/v2/job/{job}/download/")
    assert "workflow.log" in zipfile.ZipFile(io.BytesIO(archive.content)).namelist()
    user.api.delete(f"/api/v2/project/{ids[0]}/")


def test_a_filter_with_a_plus_must_be_quoted(admin: Api) -> None:
    now = datetime.now(UTC).isoformat()
    admin.call("GET", f"/admin/v2/job/?start_timestamp_min={quote(now)}", 200)
    admin.call("GET", f"/admin/v2/job/?start_timestamp_min={now}", 422)


@pytest.fixture
def agent(server: Server) -> Generator[int]:
    """The agent's process id; it goes on at the end, if a test has held it up."""
    (pid,) = [pid for pid, command in processes_of(server.folder).items() if command.endswith("-m fractal_agent ")]
    yield pid
    os.kill(pid, signal.SIGCONT)


def test_what_an_agent_tells_after_the_verdict_changes_nothing(
    server: Server, admin: Api, user: Person, agent: int
) -> None:
    ids = prepared(server, user, sleep=1)
    job = user.api.submit(*ids)
    until(lambda: len(marks(server, ids, user)) == 2, "both units run")
    os.kill(agent, signal.SIGSTOP)
    failed = admin.patch(f"/admin/v2/job/{job}/", {"status": "failed"})
    time.sleep(2.5)  # the units succeed meanwhile, and their results wait for the agent
    os.kill(agent, signal.SIGCONT)
    journal = server.folder / "jobs" / ".fractal-agent" / "batches"
    until(lambda: not list(journal.glob(f"*job*{job:07}*")), "the agent has told all it knows")
    time.sleep(1)
    assert admin.get(f"/admin/v2/job/{job}/") == failed
    assert units(user, ids) == ["failed", "failed"]
    project, dataset, workflow = ids
    latest = user.api.get(f"/api/v2/project/{project}/latest-job/", workflow_id=workflow, dataset_id=dataset)
    (status,) = latest["task_statuses"].values()
    assert (status["status"], status["num_failed_images"], status["num_done_images"]) == ("failed", 2, 0)
