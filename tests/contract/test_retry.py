"""Running again what failed: the contract's status filter (execution §4.3), and our retry of a job."""

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .server import Person, Server

SCRIPT = """\
import json, pathlib, sys
args = json.load(open(sys.argv[sys.argv.index("--args-json") + 1]))
folder = pathlib.Path(args["folder"])
key = args.get("zarr_url", "init").rpartition("/")[2]
with (folder / "marks").open("a") as marks:
    marks.write(f"{args['step']}:{key}\\n")
bad = folder / "bad"
if bad.exists() and f"{args['step']}:{key}" in bad.read_text().split():
    sys.exit(f"{key} is bad")
if key == "init":
    urls = [{"zarr_url": url, "init_args": {"n": n}} for n, url in enumerate(args["zarr_urls"])]
    json.dump({"parallelization_list": urls}, open(sys.argv[sys.argv.index("--out-json") + 1], "w"))
"""


@dataclass
class Flow:
    """A dataset of images `0` … `3` and a workflow of which each step can be told what fails."""

    user: Person
    folder: Path
    project: int
    dataset: int
    workflow: int

    def fail(self, *units: str) -> None:
        (self.folder / "bad").write_text("\n".join(units))

    def marks(self) -> Counter[str]:
        """How often each unit was started since the last call."""
        file = self.folder / "marks"
        found = Counter(file.read_text().split()) if file.exists() else Counter[str]()
        file.unlink(missing_ok=True)
        return found

    def run(self, body: dict[str, Any] | None = None) -> dict[str, Any]:
        path = f"/api/v2/project/{self.project}/job/submit/"
        ids = {"workflow_id": self.workflow, "dataset_id": self.dataset}
        return self.user.api.finished(self.project, self.user.api.post(path, body or {}, 202, **ids)["id"])

    def retry(self, job: dict[str, Any], status: int = 202) -> dict[str, Any]:
        answer = self.user.api.post(f"/api/v2/project/{self.project}/job/{job['id']}/retry/", status=status)
        if status != 202:
            return answer
        assert answer["retry_of"] == job["id"]
        return self.user.api.finished(self.project, answer["id"])

    def types(self) -> list[dict[str, bool]]:
        path = f"/api/v2/project/{self.project}/dataset/{self.dataset}/images/query/"
        return [image["types"] for image in self.user.api.post(path, None, 200)["items"]]


def make(server: Server, user: Person, folder: Path, *kinds: str) -> Flow:
    script = folder / "script.py"
    script.write_text(SCRIPT)
    command = f"{sys.executable} -I -S {script}"
    project = user.api.post("/api/v2/project/", {"name": "p"})["id"]
    dataset = user.api.post(f"/api/v2/project/{project}/dataset/", {"name": "d"})
    workflow = user.api.post(f"/api/v2/project/{project}/workflow/", {"name": "w"})["id"]
    for number in range(4):
        url = f"{dataset['zarr_dir']}/{number}"
        user.api.post(f"/api/v2/project/{project}/dataset/{dataset['id']}/images/", {"zarr_url": url})
    for step, kind in enumerate(kinds):
        body = {"name": f"{kind} {server.new_email()}", "version": "1", "command_parallel": command}
        body |= {"command_non_parallel": command} if kind == "compound" else {}
        body |= {"output_types": {f"step{step}": True}}
        task = user.api.post("/api/v2/task/", body)["id"]
        arguments = {"folder": str(folder), "step": step}
        parts = {"args_parallel": arguments, **({"args_non_parallel": arguments} if kind == "compound" else {})}
        user.api.post(f"/api/v2/project/{project}/workflow/{workflow}/wftask/", [{"task_id": task, **parts}])
    return Flow(user, folder, project, dataset["id"], workflow)


def each(step: int, *names: object) -> Counter[str]:
    return Counter(f"{step}:{name}" for name in names)


def test_a_retry_runs_what_failed_and_the_tasks_after_it(server: Server, user: Person, tmp_path: Path) -> None:
    flow = make(server, user, tmp_path, "parallel", "parallel", "parallel")
    flow.fail("1:1", "1:3")
    failed = flow.run()
    assert failed["status"] == "failed"
    assert flow.marks() == each(0, *range(4)) + each(1, *range(4))
    flow.fail("1:3")
    again = flow.retry(failed)
    assert (again["status"], again["first_task_index"], again["last_task_index"]) == ("failed", 1, 2)
    assert flow.marks() == each(1, 1, 3)
    flow.fail()
    done = flow.retry(again)
    assert done["status"] == "done", done["log"]
    assert f"Retry of job: {again['id']}\n" in done["log"]
    assert flow.marks() == each(1, 3) + each(2, *range(4))
    assert flow.types() == [{"step0": True, "step1": True, "step2": True}] * 4


def test_a_retry_of_a_compound_task_keeps_its_init_part(server: Server, user: Person, tmp_path: Path) -> None:
    flow = make(server, user, tmp_path, "compound", "parallel")
    flow.fail("0:2")
    failed = flow.run()
    assert flow.marks() == each(0, "init", *range(4))
    flow.fail()
    done = flow.retry(failed)
    assert done["status"] == "done", done["log"]
    assert flow.marks() == each(0, 2) + each(1, *range(4))
    (_, second) = flow.types()[0], flow.types()[2]
    assert second == {"step0": True, "step1": True}


def test_a_retry_when_the_init_part_failed_runs_all_of_it(server: Server, user: Person, tmp_path: Path) -> None:
    flow = make(server, user, tmp_path, "compound")
    flow.fail("0:init")
    failed = flow.run()
    assert flow.marks() == each(0, "init")
    flow.fail()
    assert flow.retry(failed)["status"] == "done"
    assert flow.marks() == each(0, "init", *range(4))


def test_what_cannot_be_retried(server: Server, user: Person, other: Person, tmp_path: Path) -> None:
    flow = make(server, user, tmp_path, "parallel")
    done = flow.run()
    assert flow.retry(done, 422) == {
        "detail": f"Cannot retry job {done['id']}: expected status 'failed', but it is 'done'."
    }
    other.api.post(f"/api/v2/project/{flow.project}/job/{done['id']}/retry/", status=403)
    flow.fail("0:1")
    failed = flow.run()
    (task,) = user.api.get(f"/api/v2/project/{flow.project}/workflow/{flow.workflow}/")["task_list"]
    user.api.delete(f"/api/v2/project/{flow.project}/workflow/{flow.workflow}/wftask/{task['id']}/")
    assert flow.retry(failed, 422) == {
        "detail": f"Cannot retry job {failed['id']}: no task of its workflow has failed in it."
    }


@pytest.mark.parametrize(
    ("statuses", "expected"), [(["failed", "unset"], [1, 4]), (["done"], [0, 2, 3]), (["unset"], [4])]
)
def test_the_status_filter_holds_for_the_whole_job(
    server: Server, user: Person, tmp_path: Path, statuses: list[str], expected: list[int]
) -> None:
    flow = make(server, user, tmp_path, "parallel", "parallel")
    flow.fail("0:1")
    assert flow.run({"last_task_index": 0})["status"] == "failed"
    dataset = f"/api/v2/project/{flow.project}/dataset/{flow.dataset}/"
    zarr_dir = user.api.get(dataset)["zarr_dir"]
    user.api.post(f"{dataset}images/", {"zarr_url": f"{zarr_dir}/4"})
    flow.marks()
    flow.fail()
    job = flow.run({"attribute_filters": {"__wftask_dataset_image_status__": statuses}})
    assert job["status"] == "done", job["log"]
    assert flow.marks() == each(0, *expected) + each(1, *expected)
    exported = user.api.get(f"{dataset}export/")["images"]
    assert [image["zarr_url"].rpartition("/")[2] for image in exported] == list("01234")
    assert {str(image["attributes"]) for image in exported} == {"{}"}


def test_every_failed_process_says_why(server: Server, user: Person, other: Person, tmp_path: Path) -> None:
    flow = make(server, user, tmp_path, "parallel")
    (tmp_path / "script.py").write_text(
        "import json, os, sys\n"
        "args = json.load(open(sys.argv[sys.argv.index('--args-json') + 1]))\n"
        "number = int(args['zarr_url'][-1])\n"
        "if number == 1: raise ValueError('no such channel: DAPI')\n"
        "if number == 2: os.kill(os.getpid(), 9)\n"
        "if number == 3: open(sys.argv[sys.argv.index('--out-json') + 1], 'w').write('[')\n"
    )
    job = flow.run()
    first_lines = "\n".join(job["log"].splitlines()[:6])
    assert "3 of 4 processes failed: " in first_lines
    for text in ("exit code 1 (ValueError: no such channel: DAPI;", "killed by SIGKILL (", "invalid output ("):
        assert text in first_lines
    path = f"/api/v2/project/{flow.project}/job/{job['id']}/failures/"
    page = user.api.get(path, page_size=2)
    assert (page["total_count"], len(page["items"])) == (3, 2)
    items = user.api.get(path)["items"]
    assert [(item["cause"], item["exit_code"], item["signal"], item["exception"]) for item in items] == [
        ("exit_code", 1, None, "ValueError: no such channel: DAPI"),
        ("signal", -9, 9, None),
        ("invalid_output", 0, None, None),
    ]
    assert all(item["max_rss_kb"] > 1000 and item["wall_s"] > 0 for item in items)
    assert items[0]["error"].startswith("Task failed with returncode=1.")
    other.api.get(path, 403)
