"""Drives a Fractal Server with the public `fractal` client: from raw photographs to segmented, measured objects.

    python demo.py --url URL --client FRACTAL --python PYTHON --output FOLDER [--data FOLDER]

The administrator's e-mail and password come from FRACTAL_ADMIN_EMAIL and FRACTAL_ADMIN_PASSWORD_FILE.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
USER = "scientist@example.org"
CONVERTERS = ("fractal-uzh-converters", "0.7.1")
CORE = ("fractal-tasks-core", "2.0.2")
LABEL, TABLE = "objects", "measurements"
CLEANING = {
    "pre_process": [{"type": "Gaussian Blur Filter", "sigma_xy": 1.0}],
    "post_process": [{"type": "Size Filter", "min_size": 40}],
}
COLLECT_TIMEOUT_S = 600
POLL_INTERVAL_S = 0.3


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


def workflow(data: Path) -> list[tuple[tuple[str, str], str, dict[str, Any], dict[str, Any]]]:
    """Package, task, arguments of its non-parallel and of its parallel part."""
    profiles = {"model": "Profile", "folder": str(data), "profiles": {"A01_C01": "illumination.png"}}
    channel = {"mode": "label", "identifier": "signal"}
    acquisition = {"path": str(data), "plate_name": "demo", "acquisition_id": 0}
    return [
        (CONVERTERS, "Convert Custom TIFF HCS Plate to OME-Zarr", {"acquisitions": [acquisition]}, {}),
        (CORE, "Illumination Correction", {}, {"illumination_profiles": profiles, "input_roi_table": "FOV_ROI_table"}),
        (CORE, "Project Image (HCS Plate)", {}, {}),
        (
            CORE,
            "Threshold Segmentation",
            {},
            {"channel": channel, "output_label_name": LABEL, "pre_post_process": CLEANING},
        ),
        (CORE, "Measure Features", {}, {"input_label_name": LABEL, "output_table_name": TABLE}),
    ]


class Client:
    """The `fractal` command, as one user."""

    def __init__(self, executable: str, url: str, email: str, password: str) -> None:
        self.executable = executable
        self.url = url
        self.environment = {
            **os.environ,
            "FRACTAL_SERVER": url,
            "FRACTAL_USER": email,
            "FRACTAL_PASSWORD": password,
            "FRACTAL_CACHE_PATH": tempfile.mkdtemp(prefix="fractal-demo-"),
        }

    def run(self, *arguments: object, batch: bool = False) -> Any:
        """Parsed output: JSON, or the words that `--batch` prints."""
        argv = [self.executable, *(["--batch"] if batch else []), *map(str, arguments)]
        done = subprocess.run(argv, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise DemoError(f"`fractal {arguments[0]} {arguments[1]}` failed: {done.stdout}{done.stderr}")
        return done.stdout.split() if batch else json.loads(done.stdout)

    def get(self, path: str, body: Any = None) -> Any:
        """What the client has no command for: progress and history."""
        form = {"username": self.environment["FRACTAL_USER"], "password": self.environment["FRACTAL_PASSWORD"]}
        login = urllib.request.Request(f"{self.url}/auth/token/login/", urllib.parse.urlencode(form).encode())
        with urllib.request.urlopen(login) as answer:
            token = json.load(answer)["access_token"]
        self.get = lambda path, body=None: self._get(path, body, token)  # type: ignore[method-assign]
        return self._get(path, body, token)

    def _get(self, path: str, body: Any, token: str) -> Any:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers)) as answer:
            return json.load(answer)


def step(text: str) -> None:
    print(f"\n• {text}", flush=True)


def say(text: str) -> None:
    print(f"    {text}", flush=True)


def ensure_user(admin: Client, output: Path, projects: Path) -> str:
    """Register the demo's user if there is none; returns the password."""
    file = output / ".password"
    users = {user["email"]: user["id"] for user in admin.run("user", "list")}
    if file.exists() and USER in users:
        return file.read_text()
    password = secrets.token_urlsafe(12)
    descriptor = os.open(file, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(password)
    profile_id = admin.run("user", "whoami")["profile_id"]
    if USER not in users:
        user_id = admin.run("user", "register", USER, password, projects)["id"]
    else:
        user_id = users[USER]
        admin.run("user", "edit", user_id, "--new-password", password)
    admin.run("user", "edit", user_id, "--new-profile-id", profile_id, "--make-verified")
    return password


def collect(user: Client, packages: list[tuple[str, str]]) -> None:
    """Install the packages that are not there yet, both at the same time."""
    present = {(name, item["version"]) for name, group in user.get("/api/v2/task-group/") for item in group}
    started = time.monotonic()
    open_: dict[str, str] = {}
    for name, version in packages:
        if (name, version) in present:
            say(f"{name} {version}: already there")
        else:
            (activity,) = user.run("task", "collect", name, "--package-version", version, batch=True)[:1]
            open_[activity] = f"{name} {version}"
    while open_:
        time.sleep(POLL_INTERVAL_S)
        for activity in list(open_):
            state = user.get(f"/api/v2/task-group/activity/{activity}/")
            if state["status"] == "OK":
                say(f"{open_.pop(activity)}: installed after {time.monotonic() - started:.0f} s")
            elif state["status"] == "failed":
                raise DemoError(f"{open_[activity]} could not be installed:\n{state['log'][-2000:]}")
        if time.monotonic() - started > COLLECT_TIMEOUT_S:
            raise DemoError(f"{', '.join(open_.values())}: not installed after {COLLECT_TIMEOUT_S} s")


def build(user: Client, data: Path) -> tuple[int, int, int, str, list[dict[str, Any]]]:
    """A new project with dataset and workflow; returns their ids, the zarr directory and the workflow's tasks."""
    number = 1 + len(user.run("project", "list"))
    project = user.run("project", "new", f"demo {number}")["id"]
    dataset = user.run("project", "add-dataset", project, "plate")
    workflow_id = user.run("workflow", "new", "segmentation", project)["id"]
    tasks = []
    for (package, version), name, non_parallel, parallel in workflow(data):
        options: list[object] = []
        with tempfile.TemporaryDirectory() as folder:
            for option, arguments in (("--args-non-parallel", non_parallel), ("--args-parallel", parallel)):
                if arguments:
                    file = Path(folder, option.strip("-"))
                    file.write_text(json.dumps(arguments))
                    options += [option, file]
            added = user.run(
                *("workflow", "add-task", project, workflow_id),
                *("--task-name", name, "--task-version", version, *options),
            )
        tasks.append((added[-1] if isinstance(added, list) else added) | {"package": package})
    return project, dataset["id"], workflow_id, dataset["zarr_dir"], tasks


def follow(user: Client, project: int, dataset: int, workflow_id: int, job: int, tasks: list[dict[str, Any]]) -> None:
    """A line a task, as it goes on."""
    shown: dict[str, str] = {}
    while True:
        state = user.get(f"/api/v2/project/{project}/latest-job/?workflow_id={workflow_id}&dataset_id={dataset}")
        for task in tasks:
            status = state["task_statuses"].get(str(task["id"])) or {}
            if "num_done_images" not in status:
                continue
            counts = f"{status['num_done_images']} of {status['num_available_images']} images"
            detail = "" if task["task_type"].startswith("converter") else f", {counts}"
            line = f"{status['status']}{detail}"
            if shown.get(task["task"]["name"]) != line:
                shown[task["task"]["name"]] = line
                say(f"{task['task']['name']:42} {line}")
        if state["status"] != "submitted":
            break
        time.sleep(POLL_INTERVAL_S)
    final = user.run("job", "show", project, job)
    if final["status"] != "done":
        raise DemoError(f"job {job} {final['status']}:\n{(final['log'] or '')[:3000]}")


def report(user: Client, project: int, dataset: int, tasks: list[dict[str, Any]]) -> None:
    step("Image list of the dataset")
    page = user.get(f"/api/v2/project/{project}/dataset/{dataset}/images/query/", {})
    for image in page["items"]:
        words = [f"{key}={value}" for key, value in sorted(image["attributes"].items())]
        words += [name if value else f"not {name}" for name, value in sorted(image["types"].items())]
        say(f"{image['zarr_url'].split('/fractal/')[-1]:58} {' '.join(words)}")
    step("History")
    for task in tasks:
        query = f"dataset_id={dataset}&workflowtask_id={task['id']}"
        for run in user.get(f"/api/v2/project/{project}/status/run/?{query}"):
            units = f"{run['num_done_units']} done, {run['num_failed_units']} failed"
            say(f"{run['timestamp_started'][11:19]}  {task['task']['name']:42} units: {units}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--client", required=True, help="the `fractal` executable")
    parser.add_argument("--python", required=True, help="interpreter with examples/demo/requirements.txt")
    parser.add_argument("--output", type=Path, default=Path("demo-output"))
    parser.add_argument("--data", type=Path, help="folder for raw images and results that the agent sees as well")
    options = parser.parse_args()
    output = options.output.absolute()
    output.mkdir(parents=True, exist_ok=True)
    shared = (options.data or output).absolute()
    password_file = Path(os.environ["FRACTAL_ADMIN_PASSWORD_FILE"])
    begun = time.monotonic()
    try:
        step(f"Server at {options.url}")
        email = os.environ.get("FRACTAL_ADMIN_EMAIL", "admin@example.org")
        admin = Client(options.client, options.url, email, password_file.read_text().strip())
        user = Client(options.client, options.url, USER, ensure_user(admin, output, shared / "projects"))
        say(f"user {USER}")
        step("Raw images: three photographs, cut into twelve fields of view")
        raw = shared / "raw"
        if not (raw / "tiles.csv").exists():
            subprocess.run([options.python, HERE / "images.py", raw], check=True)
        say(str(raw))
        step("Task packages from the package index")
        collect(user, [CONVERTERS, CORE])
        step("Project, dataset, workflow")
        project, dataset, workflow_id, zarr_dir, tasks = build(user, raw)
        for task in tasks:
            say(f"{task['order'] + 1}. {task['task']['name']} ({task['task_type']}, {task['package']})")
        step("Run")
        started = time.monotonic()
        job = user.run("job", "submit", project, workflow_id, dataset)["id"]
        follow(user, project, dataset, workflow_id, job, tasks)
        say(f"job {job} done after {time.monotonic() - started:.1f} s")
        report(user, project, dataset, tasks)
        step("Measured")
        plate = next(Path(zarr_dir).glob("*mip*.zarr"))
        picture = output / f"segmentation-{project}.png"
        rendered = subprocess.run(
            [options.python, HERE / "render.py", plate, LABEL, TABLE, picture], capture_output=True, text=True
        )
        if rendered.returncode:
            raise DemoError(f"the result cannot be drawn:\n{rendered.stderr[-2000:]}")
        for row in json.loads(rendered.stdout.splitlines()[-1]):
            say("  ".join(f"{key}: {value}" for key, value in row.items()))
        step(f"Done in {time.monotonic() - begun:.0f} s")
        say(f"OME-Zarr   {zarr_dir}")
        say(f"picture    {picture}   (raw on the left, segmented on the right)")
    except DemoError as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
