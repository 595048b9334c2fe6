"""Resources and profiles, impersonation, the list of users, stopping jobs, log-out."""

from pathlib import Path

from ..pair import Pair
from .tasks import MANIFEST

A = "/admin/v2"


def run(pair: Pair) -> None:
    for path in ("resource", "profile"):
        for who in ("admin", "u1", "nobody"):
            pair.call(who, "GET", f"{A}/{path}/98765/")
            pair.call(who, "DELETE", f"{A}/{path}/98765/")
            pair.call(who, "PUT", f"{A}/{path}/98765/", json={})
        pair.call("admin", "DELETE", f"{A}/{path}/1/", note="in use")
    resource = {
        "name": "another",
        "type": "local",
        "jobs_local_dir": "$shared/jobs",
        "tasks_local_dir": "$shared/tasks",
        "jobs_poll_interval": 0,
        "jobs_runner_config": {},
        "tasks_python_config": {"default_version": "3.12", "versions": {"3.12": "$python"}},
        "tasks_pixi_config": {},
    }
    pair.call("admin", "POST", f"{A}/resource/", json=resource, save="resource")
    pair.call("u1", "POST", f"{A}/resource/", json=resource)
    pair.call("admin", "PUT", f"{A}/resource/98765/", json=resource)
    for change in (
        {},
        {"name": ""},
        {"type": "x"},
        {"jobs_local_dir": "relative"},
        {"tasks_python_config": {}},
        {"x": 1},
    ):
        pair.call("admin", "POST", f"{A}/resource/", json=resource | change, note=str(change))
        pair.call("admin", "PUT", f"{A}/resource/$resource/", json=resource | change, note=str(change))
    pair.call("admin", "GET", f"{A}/resource/$resource/")
    profile = {"name": "another", "resource_type": "local"}
    pair.call("admin", "POST", f"{A}/resource/$resource/profile/", json=profile, save="profile2")
    for change in ({}, {"name": ""}, {"resource_type": "slurm_sudo"}, {"username": "x"}, {"x": 1}):
        pair.call("admin", "POST", f"{A}/resource/$resource/profile/", json=profile | change, note=str(change))
        pair.call("admin", "PUT", f"{A}/profile/$profile2/", json=profile | change, note=str(change))
    pair.call("u1", "POST", f"{A}/resource/$resource/profile/", json=profile)
    pair.call("admin", "POST", f"{A}/resource/98765/profile/", json=profile)
    pair.call("admin", "PUT", f"{A}/profile/98765/", json=profile)
    pair.call("admin", "GET", f"{A}/profile/$profile2/")
    pair.call("admin", "GET", f"{A}/resource/$resource/profile/")
    pair.call("u1", "GET", f"{A}/resource/$resource/profile/")
    pair.call("admin", "DELETE", f"{A}/resource/$resource/", note="with a profile")
    pair.call("admin", "DELETE", f"{A}/profile/$profile2/")
    pair.call("admin", "DELETE", f"{A}/resource/$resource/")
    for user in ("$u1", "98765"):
        for who in ("admin", "u1"):
            pair.call(who, "GET", f"{A}/impersonate/{user}/")
    for who in ("admin", "u1"):
        pair.call(who, "GET", f"{A}/users-csv/")
        pair.call(who, "GET", f"{A}/users-csv/", params={"exclude_zero_jobs": True}, note="with jobs")
    pair.call("admin", "GET", f"{A}/users-csv/", params={"start_timestamp_min": "2020-01-01"}, note="no time")
    for path in ("/project/98765/job/98765/stop/", f"{A}/job/98765/stop/"):
        for who in ("admin", "u1", "guest", "nobody"):
            pair.call(who, "GET", path)
    folder = Path(pair.ours.variables["shared"]) / "package"
    folder.mkdir()
    for name in ("par.py", "p.py", "n.py"):
        (folder / name).write_text("")
    custom = {"manifest": MANIFEST, "python_interpreter": "$python", "label": "lab", "package_root": "$shared/package"}
    pair.call("u1", "POST", "/task/collect/custom/", json=custom | {"version": "1"})
    pair.call("u1", "POST", "/task/collect/custom/", json=custom | {"version": "1"}, note="again")
    pair.call("nobody", "POST", "/auth/token/login/", data={"username": "u2@example.org", "password": "nonsense"})
    pair.call("u2", "POST", "/auth/token/logout/")
