"""Resources and profiles, impersonation, the list of users, stopping jobs, log-out."""

from pathlib import Path

from tests.contract.compute import SLURM, local, ssh, ssh_profile, sudo

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
    of_slurm(pair)
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


def of_slurm(pair: Pair) -> None:
    """What is wrong with a body is told before the type of the server's own resources is looked at."""
    bodies = [sudo(), ssh(), sudo(host="h"), ssh(host=None), ssh(host=" "), sudo(jobs_slurm_python_worker=None)]
    bodies += [sudo(jobs_slurm_python_worker="python"), sudo(jobs_runner_config={}), local(jobs_runner_config=SLURM)]
    for field, values in (
        ("mem", ["2K", "0", "1T", 5, [1], "", None]),
        ("cpus_per_task", [0, "1", None, "x"]),
        ("gres", ["gpu:1", "", None]),
        ("gpus", [1, "1"]),
        ("time", ["1:00", 1, ""]),
        ("partition", [None, "", "a b"]),
        ("extra_lines", [["#SBATCH --x"], "x", []]),
        ("shared", [1]),
        ("nodelist", ["a,b"]),
        ("exclude", ["a"]),
        ("constraint", ["c"]),
        ("account", ["a"]),
    ):
        for value in values:
            config = SLURM["default_slurm_config"] | {field: value}
            bodies.append(sudo(jobs_runner_config=SLURM | {"default_slurm_config": config}))
            bodies.append(sudo(jobs_runner_config=SLURM | {"gpu_slurm_config": {field: value}}))
    for field in SLURM["batching_config"]:
        for value in (0, "x", None, "5"):
            batching = SLURM["batching_config"] | {field: value}
            bodies.append(sudo(jobs_runner_config=SLURM | {"batching_config": batching}))
    more = ({"user_local_exports": {"A": "b"}}, {"user_local_exports": {"A": 1}}, {"x": 1}, {"gpu_slurm_config": None})
    bodies += [sudo(jobs_runner_config=SLURM | one) for one in more]
    slurm = {"partition": "main", "cpus": 2, "time": "1", "mem": "8G"}
    good = {"versions": {"1": "/p/1"}, "default_version": "1"}
    for change in (
        {},
        {"versions": {}},
        {"versions": {"1": "/p/x"}},
        {"versions": {"1": "/p/1", "2": "/q/2"}},
        {"versions": {"": "/p/1"}},
        {"default_version": "2"},
        {"default_version": None},
        {"surplus": 1},
        {"PIXI_CONCURRENT_SOLVES": "x"},
        {"PIXI_CONCURRENT_SOLVES": 0},
        {"DEFAULT_PLATFORM": "x"},
        {"DEFAULT_ENVIRONMENT": ""},
        {"SLURM_CONFIG": slurm},
        {"SLURM_CONFIG": slurm | {"mem": "8"}},
        {"SLURM_CONFIG": slurm | {"mem": None}},
        {"SLURM_CONFIG": slurm | {"mem_per_cpu": "8G"}},
        {"SLURM_CONFIG": slurm | {"cpus": 0}},
        {"SLURM_CONFIG": slurm | {"preamble": "x"}},
        {"SLURM_CONFIG": slurm | {"a": 1}},
    ):
        bodies += [kind(tasks_pixi_config=good | change) for kind in (sudo, ssh)]
    for number, body in enumerate(bodies):
        changes = {name: value for name, value in body.items() if name not in ("name", "type")}
        body |= {"name": f"of slurm {number}"}
        pair.call("admin", "POST", f"{A}/resource/", json=body, note=f"{number} {changes}"[:1000])
    for body in (
        ssh_profile(),
        ssh_profile(username=None),
        ssh_profile(ssh_key_path="k"),
        ssh_profile(jobs_remote_dir=None),
        ssh_profile(tasks_remote_dir="t"),
        ssh_profile(pixi_cache_dir="p"),
        ssh_profile(x=1),
        ssh_profile(resource_type="x"),
        {"resource_type": "slurm_sudo", "name": "p"},
        {"resource_type": "slurm_sudo", "name": "p", "username": "u"},
        {"resource_type": "slurm_sudo", "name": "p", "username": "u", "ssh_key_path": "/k"},
        {"resource_type": "local", "name": "p", "ssh_key_path": "/k"},
        {"resource_type": "local", "name": "p", "jobs_remote_dir": "/k"},
    ):
        named = body | {"name": "of slurm"}
        pair.call("admin", "POST", f"{A}/resource/$resource/profile/", json=named, note=str(body))
