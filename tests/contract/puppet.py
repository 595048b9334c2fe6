"""A workflow whose tasks do what they are told: what they print, return, and how they exit."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.api import Api

from .server import Person, Server

SCRIPT = r"""
import json, sys
args = json.load(open(sys.argv[sys.argv.index("--args-json") + 1]))
key = args["zarr_url"].rpartition("/")[2] if "zarr_url" in args else "init"
text = args.get("prints", {}).get(key, "").encode().decode("unicode_escape")
sys.stdout.buffer.write(text.encode("latin-1"))
if key in args.get("returns", {}):
    open(sys.argv[sys.argv.index("--out-json") + 1], "w").write(args["returns"][key])
sys.exit(args.get("exits", {}).get(key, 0))
"""


@dataclass
class Step:
    """A task; `returns` is the text of the output file, `prints` with escapes, both by the image's name or `init`."""

    kind: str
    returns: dict[str, str] = field(default_factory=dict[str, str])
    exits: dict[str, int] = field(default_factory=dict[str, int])
    prints: dict[str, str] = field(default_factory=dict[str, str])
    input_types: dict[str, bool] = field(default_factory=dict[str, bool])
    output_types: dict[str, bool] = field(default_factory=dict[str, bool])
    type_filters: dict[str, bool] = field(default_factory=dict[str, bool])
    meta_parallel: dict[str, Any] = field(default_factory=dict[str, Any])
    command: str | None = None
    alias: str | None = None


@dataclass
class Outcome:
    """What is left of a job: its row, and of its last task the status, the units' and the accounting's."""

    job: dict[str, Any]
    run: str
    units: list[str]
    accounting: list[int]

    @property
    def statuses(self) -> tuple[str, str, list[str], list[int]]:
        return self.job["status"], self.run, self.units, self.accounting


class Flow:
    """A dataset below whose directory images are named, and a workflow of the steps."""

    def __init__(
        self,
        server: Server,
        user: Person,
        database: psycopg.Connection[Any],
        images: list[dict[str, Any]],
        *steps: Step,
    ) -> None:
        self.api: Api = user.api
        self.database = database
        self.user = user
        script = Path(server.folder) / "told.py"
        script.write_text(SCRIPT.lstrip())
        self.project = self.api.post("/api/v2/project/", {"name": "p"})["id"]
        base = f"/api/v2/project/{self.project}/"
        dataset = self.api.post(f"{base}dataset/", {"name": "d"})
        self.dataset, self.z = dataset["id"], dataset["zarr_dir"]
        for image in images:
            image = {**image, "zarr_url": self.url(image["zarr_url"])}
            self.api.post(f"{base}dataset/{self.dataset}/images/", image)
        self.workflow = self.api.post(f"{base}workflow/", {"name": "w"})["id"]
        self.workflowtasks = [
            self._add(step, f"task {server.new_email()}", f"{sys.executable} -I -S {script}") for step in steps
        ]

    def url(self, name: str) -> str:
        return name if name.startswith("/") else f"{self.z}/{name}"

    def _add(self, step: Step, name: str, command: str) -> int:
        command = step.command or command
        body: dict[str, Any] = {"name": name, "version": "1", "type": step.kind}
        if "non_parallel" not in step.kind:
            body["command_parallel"] = command
        if step.kind != "parallel":
            body["command_non_parallel"] = command
        body |= {"input_types": step.input_types, "output_types": step.output_types}
        task = self.api.post("/api/v2/task/", body)["id"]
        told = {name: getattr(step, name) for name in ("returns", "exits", "prints")}
        told["returns"] = {key: text.replace("{z}", self.z) for key, text in step.returns.items()}
        wftask: dict[str, Any] = {"task_id": task, "type_filters": step.type_filters, "alias": step.alias}
        if "command_parallel" in body:
            wftask |= {"args_parallel": told, "meta_parallel": step.meta_parallel}
        if "command_non_parallel" in body:
            wftask["args_non_parallel"] = told
        path = f"/api/v2/project/{self.project}/workflow/{self.workflow}/wftask/"
        return self.api.post(path, [wftask])[0]["id"]

    def submit(self, body: dict[str, Any] | None = None) -> int:
        path = f"/api/v2/project/{self.project}/job/submit/"
        return self.api.post(path, body or {}, 202, workflow_id=self.workflow, dataset_id=self.dataset)["id"]

    def run(self, body: dict[str, Any] | None = None) -> Outcome:
        return self.outcome(self.submit(body))

    def outcome(self, job: int) -> Outcome:
        row = self.api.finished(self.project, job)
        run, status = self.database.execute(
            "SELECT id, status FROM jobs.historyrun WHERE job_id = %s ORDER BY id DESC LIMIT 1", [job]
        ).fetchone() or (0, "none")
        units = self.database.execute(
            "SELECT status FROM jobs.historyunit WHERE history_run_id = %s ORDER BY id", [run]
        )
        counts = self.database.execute(
            "SELECT num_tasks FROM jobs.accountingrecord WHERE user_id = %s ORDER BY id", [self.user.id]
        )
        return Outcome(row, status, [one for (one,) in units], [one for (one,) in counts])

    def images(self) -> list[dict[str, Any]]:
        """In their order, with names instead of URLs."""
        path = f"/api/v2/project/{self.project}/dataset/{self.dataset}/images/query/"
        items = self.api.post(path, None, 200)["items"]
        for item in items:
            for key in ("zarr_url", "origin"):
                item[key] = item[key] and item[key].removeprefix(self.z + "/")
        return items

    def types(self) -> dict[str, dict[str, bool]]:
        return {image["zarr_url"]: image["types"] for image in self.images()}


def updates(*changes: dict[str, Any]) -> str:
    """The text of an output file with these image updates, whose URLs are relative to the dataset's directory."""
    full = [
        {
            key: f"{{z}}/{value}" if key in {"zarr_url", "origin"} and value[0] != "/" else value
            for key, value in one.items()
        }
        for one in changes
    ]
    return json.dumps({"image_list_updates": full})


def items(*names: str) -> str:
    """The text of an init output."""
    return json.dumps({"parallelization_list": [{"zarr_url": f"{{z}}/{name}"} for name in names]})
