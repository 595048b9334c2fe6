"""api §6, §8, §17: what a submitted job uses is not deleted, also when both happen at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api import Api

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
