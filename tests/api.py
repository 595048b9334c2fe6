"""What a scientist does over REST, as tests need it: a project with a puppet workflow, submitted and awaited."""

import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

POLL_S = 0.05

PUPPET = """\
import json, sys, time
args = json.load(open(sys.argv[sys.argv.index("--args-json") + 1]))
open(args["marks"], "a").write(args["zarr_url"] + "\\n")
time.sleep(args.get("sleep", 0))
"""


class Api:
    """Requests of one user; an unexpected status is an AssertionError that shows the answer."""

    def __init__(self, url: str, token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=30)

    @classmethod
    def login(cls, url: str, email: str, password: str) -> "Api":
        anonymous = cls(url)
        answer = anonymous.http.post("/auth/token/login/", data={"username": email, "password": password})
        anonymous.http.close()
        assert answer.status_code == 200, answer.text
        return cls(url, answer.json()["access_token"])

    def call(self, method: str, path: str, status: int = 200, **kwargs: Any) -> Any:
        answer = self.http.request(method, path, **kwargs)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def get(self, path: str, status: int = 200, **params: Any) -> Any:
        return self.call("GET", path, status, params=params)

    def post(self, path: str, body: Any = None, status: int = 201, **params: Any) -> Any:
        return self.call("POST", path, status, json=body, params=params)

    def patch(self, path: str, body: Any, status: int = 200, **params: Any) -> Any:
        return self.call("PATCH", path, status, json=body, params=params)

    def delete(self, path: str, status: int = 204, **params: Any) -> Any:
        return self.call("DELETE", path, status, params=params)

    def close(self) -> None:
        self.http.close()

    def puppet_task(self, folder: Path, name: str = "Puppet", python: str = sys.executable) -> int:
        """A parallel task that writes a mark for each image into `folder`/marks; returns its id."""
        script = folder / "puppet.py"
        script.write_text(PUPPET)
        command = f"{python} -I -S {script}"
        body = {"name": name, "version": "1", "type": "parallel", "command_parallel": command}
        return self.post("/api/v2/task/", body)["id"]

    def prepared(self, folder: Path, task_id: int, images: int, **arguments: Any) -> tuple[int, int, int]:
        """Ids of a project, a dataset with that many images, and a workflow of the one task."""
        project = self.post("/api/v2/project/", {"name": f"project {time.monotonic_ns()}"})["id"]
        dataset = self.post(f"/api/v2/project/{project}/dataset/", {"name": "data"})
        for number in range(images):
            image = {"zarr_url": f"{dataset['zarr_dir']}/{number:04}.zarr", "attributes": {"number": number}}
            self.post(f"/api/v2/project/{project}/dataset/{dataset['id']}/images/", image)
        workflow = self.post(f"/api/v2/project/{project}/workflow/", {"name": "flow"})["id"]
        body = [{"task_id": task_id, "args_parallel": {"marks": str(folder / "marks"), **arguments}}]
        self.post(f"/api/v2/project/{project}/workflow/{workflow}/wftask/", body)
        return project, dataset["id"], workflow

    def collect(self, wheel: Path, status: int = 202, **fields: str) -> dict[str, Any]:
        """Upload a wheel; returns the activity."""
        files = {"file": (wheel.name, wheel.read_bytes())}
        return self.call("POST", "/api/v2/task/collect/pip/", status, files=files, data=fields)

    def ended(self, activity: dict[str, Any], timeout_s: float = 120) -> dict[str, Any]:
        """A task-group activity, once it is over."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                answer = self.http.get(f"/api/v2/task-group/activity/{activity['id']}/")
                if answer.status_code == 200 and answer.json()["status"] in ("OK", "failed"):
                    return answer.json()
            time.sleep(POLL_S)
        raise AssertionError(f"activity {activity['id']} has not ended after {timeout_s} s")

    def submit(self, project: int, dataset: int, workflow: int) -> int:
        path = f"/api/v2/project/{project}/job/submit/"
        return self.post(path, {}, 202, workflow_id=workflow, dataset_id=dataset)["id"]

    def finished(self, project: int, job: int, timeout_s: float = 60) -> dict[str, Any]:
        """The job, once it is final; a server that does not answer is asked again."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                answer = self.http.get(f"/api/v2/project/{project}/job/{job}/")
                if answer.status_code == 200 and answer.json()["status"] != "submitted":
                    return answer.json()
            time.sleep(POLL_S)
        raise AssertionError(f"job {job} is not final after {timeout_s} s")
