"""api §4, §6, §8, §17: what a submitted job uses is not deleted, also when both happen at once; what goes with what."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api import Api

from .puppet import Flow, Step
from .server import Person, Server

ATTEMPTS = 6


@pytest.mark.parametrize("kind", ["project", "dataset", "workflow"])
def test_of_a_submission_and_a_deletion_one_succeeds(server: Server, user: Person, kind: str) -> None:
    task = user.api.puppet_task(server.folder, f"puppet {server.new_email()}")
    second = Api(str(user.api.http.base_url))
    second.http.headers = user.api.http.headers
    for _ in range(ATTEMPTS):
        project, dataset, workflow = user.api.prepared(server.folder, task, images=1)
        path = f"/api/v2/project/{project}/"
        path += {"project": "", "dataset": f"dataset/{dataset}/", "workflow": f"workflow/{workflow}/"}[kind]

        def submit(project: int = project, dataset: int = dataset, workflow: int = workflow) -> int:
            query = {"workflow_id": workflow, "dataset_id": dataset}
            return user.api.http.post(f"/api/v2/project/{project}/job/submit/", json={}, params=query).status_code

        def remove(path: str = path) -> int:
            return second.http.delete(path).status_code

        with ThreadPoolExecutor(2) as pool:
            submitted, removed = pool.submit(submit), pool.submit(remove)
        outcome = (submitted.result(), removed.result())
        # Gone before, or between, the submission's checks; or used by the job.
        assert outcome in {(404, 204), (422, 204), (202, 422)}, outcome
        if outcome[0] == 202:
            (job,) = user.api.get(f"/api/v2/project/{project}/job/")
            assert user.api.finished(project, job["id"])["workflow_id"] == workflow
    second.close()


def rows(flow: Flow, statement: str) -> list[tuple[Any, ...]]:
    return flow.database.execute(statement, {"dataset": flow.dataset, "project": flow.project}).fetchall()


RUNS = "SELECT workflowtask_id, task_id IS NULL FROM jobs.historyrun WHERE dataset_id = %(dataset)s ORDER BY id"
CACHED = "SELECT DISTINCT workflowtask_id FROM jobs.historyimagecache WHERE dataset_id = %(dataset)s ORDER BY 1"
UNITS = """SELECT count(*)::int FROM jobs.historyunit u JOIN jobs.historyrun r ON r.id = u.history_run_id
    WHERE r.dataset_id = %(dataset)s"""


def test_a_deleted_workflow_task_leaves_its_runs_without_a_name(flow: Any) -> None:
    one = flow(Step("parallel"), Step("parallel"))
    one.run()
    first, second = one.workflowtasks
    base = f"/api/v2/project/{one.project}/"
    task = one.api.get(f"{base}workflow/{one.workflow}/")["task_list"][0]["task"]
    one.api.delete(f"{base}workflow/{one.workflow}/wftask/{first}/")
    assert rows(one, RUNS) == [(None, False), (second, False)]
    assert rows(one, CACHED) == [(second,)]
    assert [item["order"] for item in one.api.get(f"{base}workflow/{one.workflow}/")["task_list"]] == [0]
    # Now that nobody uses the task, its group may go: the run forgets it.
    one.api.ended(one.api.post(f"/api/v2/task-group/{task['taskgroupv2_id']}/delete/", status=202))
    assert rows(one, RUNS) == [(None, True), (second, False)]
    one.api.delete(f"{base}workflow/{one.workflow}/")
    assert rows(one, RUNS) == [(None, True), (None, False)]
    assert (rows(one, CACHED), rows(one, UNITS)) == ([], [(4,)])
    assert one.api.get(f"{base}job/")[0]["workflow_id"] is None


def test_a_deleted_dataset_takes_its_history_and_leaves_its_jobs(flow: Any) -> None:
    one = flow(Step("parallel"))
    job = one.run().job
    base = f"/api/v2/project/{one.project}/"
    one.api.delete(f"{base}dataset/{one.dataset}/")
    assert (rows(one, RUNS), rows(one, CACHED), rows(one, UNITS)) == ([], [], [(0,)])
    left = one.api.get(f"{base}job/{job['id']}/")
    assert left == job | {"dataset_id": None}
    which = {"dataset_id": one.dataset, "workflowtask_id": one.workflowtasks[0]}
    gone = one.api.get(f"{base}status/run/", 404, **which)
    assert gone == {"detail": f"Dataset {one.dataset} not found."}
    one.api.delete(base)
    assert one.api.get("/api/v2/job/") == []
