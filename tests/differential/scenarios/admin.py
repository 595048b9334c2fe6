"""What superusers see and do: projects, members, jobs, tasks, task groups, activities, accounting of everybody."""

from pathlib import Path

from ..pair import Pair

TIMES = ("2020-01-01T00:00:00Z", "2100-01-01T00:00:00+00:00")


def run(pair: Pair) -> None:
    """Everything is made here; other scenarios' things are filtered out."""
    pair.call("u1", "POST", "/project/", json={"name": "Administered 1"}, save="ap")
    pair.call("u1", "POST", "/project/", json={"name": "administered X2"}, save="ap2")
    pair.call("u2", "POST", "/project/", json={"name": "Administered 3"}, save="ap3")
    projects(pair)
    members(pair)
    tasks(pair)
    groups(pair)
    jobs(pair)
    accounting(pair)


def lists(pair: Pair, path: str, queries: list[dict[str, object]]) -> None:
    for who in ("nobody", "u1", "admin"):
        pair.call(who, "GET", path, params={"page": 0}, note="page 0")
        pair.call(who, "GET", path, params={"page": 2}, note="page 2 without size")
        pair.call(who, "GET", path, params={"page": "x"}, note="page x")
    for query in queries:
        pair.call("admin", "GET", path, params=query, note=str(query))


def projects(pair: Pair) -> None:
    mine = {"name": "administered"}
    lists(
        pair,
        "/admin/v2/project/",
        [
            mine,
            mine | {"page": 2, "page_size": 2},
            mine | {"page": 9, "page_size": 2},
            {"name": "ADMINISTERED_"},
            {"name": ""} | {"user_email": "nobody@example.org"},
            mine | {"user_email": "u2@example.org"},
            mine | {"user_email": "U2@example.org"},
            {"project_id": "$ap"},
            {"project_id": 98765},
            {"project_id": "x"},
        ],
    )
    transfer = "/admin/v2/project/$ap/"
    pair.call("u1", "POST", "/project/$ap/dataset/", json={"name": "d"})
    pair.call("admin", "PATCH", "/admin/v2/project/98765/", params={"user_id": 98765})
    for note, user in (
        ("missing", 98765),
        ("no profile", "$stranger"),
        ("guest", "$guest"),
        ("owner", "$u1"),
        ("elsewhere", "$u2"),
    ):
        pair.call("admin", "PATCH", transfer, params={"user_id": user}, note=note)
    pair.call("admin", "PATCH", transfer, note="no user")
    pair.call("u1", "PATCH", transfer, params={"user_id": "$u2"})
    pair.call("u2", "POST", "/project/", json={"name": "Administered 1"}, save="same_name")
    pair.call("admin", "PATCH", transfer, params={"user_id": "$u2"}, note="name in use")
    pair.call("u2", "DELETE", "/project/$same_name/")
    pair.call("admin", "PATCH", "/admin/v2/project/$ap2/", params={"user_id": "$u2"}, note="done")
    pair.call("u1", "GET", "/project/$ap2/")
    pair.call("u2", "GET", "/project/$ap2/")


def members(pair: Pair) -> None:
    path = "/admin/v2/linkuserproject/"
    pair.call("u1", "POST", "/project/$ap/guest/", params={"email": "u2@example.org"}, json={"permissions": "rw"})
    pair.call("u1", "POST", "/project/$ap/guest/", params={"email": "guest@example.org"}, json={"permissions": "rw"})
    lists(
        pair,
        path,
        [
            {"project_id": "$ap"},
            {"project_id": "$ap", "is_owner": True},
            {"project_id": "$ap", "is_owner": "no"},
            {"project_id": "$ap", "is_verified": False},
            {"project_id": "$ap", "page": 2, "page_size": 2},
            {"project_id": "$ap", "user_id": "$u2"},
            {"project_name": "administered x"},
            {"user_id": 98765},
            {"is_owner": "x"},
        ],
    )
    verify = f"{path}verify/"
    for note, query in (
        ("nobody", {"guest_user_id": 98765, "project_id": "$ap"}),
        ("no guest", {"guest_user_id": "$u2", "project_id": "$ap"}),
        ("not linked", {"guest_user_id": "$guest", "project_id": "$ap3"}),
        ("no project", {"guest_user_id": "$guest", "project_id": 98765}),
        ("too much", {"guest_user_id": "$guest", "project_id": "$ap"}),
        ("nothing", {}),
    ):
        pair.call("admin", "POST", verify, params=query, note=note)
    pair.call("u1", "PATCH", "/project/$ap/guest/", params={"email": "guest@example.org"}, json={"permissions": "r"})
    query = {"guest_user_id": "$guest", "project_id": "$ap"}
    pair.call("u1", "POST", verify, params=query)
    pair.call("admin", "POST", verify, params=query, note="done")
    pair.call("admin", "POST", verify, params=query, note="again")
    pair.call("guest", "GET", "/project/$ap/")


def tasks(pair: Pair) -> None:
    one = {"name": "Admin_One", "version": "1", "command_parallel": "c", "category": "Cat", "modality": "Mod"}
    two = {"name": "admin two", "version": "2", "command_non_parallel": "c", "authors": "Ada, Grace"}
    pair.call("u1", "POST", "/task/", json=one, params={"private": True}, save="at1")
    pair.call("u1", "POST", "/task/", json=two, save="at2")
    pair.call("u2", "POST", "/task/", json=one, params={"private": True}, save="at3")
    pair.call("u1", "POST", "/project/$ap/workflow/", json={"name": "w"}, save="aw")
    pair.call("u1", "POST", "/project/$ap/workflow/$aw/wftask/", json=[{"task_id": "$at1"}, {"task_id": "$at1"}])
    mine = {"name": "admin"}
    lists(
        pair,
        "/admin/v2/task/",
        [
            mine,
            {"name": "ADMIN_"},
            {"id": "$at1"},
            {"id": 98765},
            mine | {"version": "2"},
            mine | {"task_type": "parallel"},
            {"task_type": "x"},
            mine | {"category": "CAT"},
            mine | {"category": "ca"},
            mine | {"modality": "mod"},
            mine | {"author": "grace"},
            mine | {"owner_id": "$u2"},
            mine | {"resource_id": 98765},
            mine | {"task_group": "ADMIN T"},
            mine | {"core": False},
            mine | {"private": True},
            mine | {"private": False},
            mine | {"active": True},
            mine | {"active": False},
            mine | {"page": 2, "page_size": 2},
        ],
    )
    for verb in ("make-core", "make-not-core"):
        path = f"/admin/v2/task/{verb}/"
        for body in ([], ["$at1", "$at1"], [-1], [98766, "$at1", 98765], {"a": 1}, ["x"]):
            pair.call("admin", "POST", path, json=body, note=str(body))
        pair.call("admin", "POST", path, note="no body")
        pair.call("u1", "POST", path, json=["$at1"])
    core = "/admin/v2/task/make-core/"
    pair.call("admin", "POST", core, json=["$at1", "$at3"], note="conflict")
    pair.call("admin", "POST", core, json=["$at1", "$at2"], note="done")
    pair.call("admin", "POST", core, json=["$at1"], note="again")
    pair.call("admin", "POST", core, json=["$at3"], note="taken")
    pair.call("admin", "GET", "/admin/v2/task/", params=mine | {"core": True})
    pair.call("u1", "GET", "/task/$at1/")
    pair.call("admin", "POST", "/admin/v2/task/make-not-core/", json=["$at1"], note="done")
    pair.call("admin", "POST", core, json=["$at3"], note="free now")


def groups(pair: Pair) -> None:
    for number in (1, 2):
        pair.pick("u1", f"/task/$at{number}/", f"ag{number}", lambda body: body["taskgroupv2_id"])
    pair.pick("u2", "/task/$at3/", "ag3", lambda body: body["taskgroupv2_id"])
    mine = {"pkg_name": "admin"}
    lists(
        pair,
        "/admin/v2/task-group/",
        [
            mine,
            {"task_group_id": "$ag1"},
            mine | {"user_id": "$u2"},
            mine | {"user_group_id": 98765},
            mine | {"user_group_id": 1, "private": True},
            mine | {"user_group_id": 1, "private": False},
            mine | {"private": True},
            mine | {"active": True},
            mine | {"origin": "other"},
            mine | {"origin": "pixi"},
            mine | {"origin": "x"},
            mine | {"resource_id": 98765},
            mine | {"in_use": True},
            mine | {"in_use": False},
            mine | {"timestamp_last_used_min": TIMES[0], "timestamp_last_used_max": TIMES[1]},
            mine | {"timestamp_last_used_min": "2020-01-01T00:00:00"},
            mine | {"page": 2, "page_size": 1},
        ],
    )
    one = "/admin/v2/task-group/$ag1/"
    pair.call("admin", "GET", one)
    pair.call("u1", "GET", one)
    pair.call("admin", "GET", "/admin/v2/task-group/98765/")
    for path in (one, "/admin/v2/task-group/98765/"):
        for body in ({}, {"user_group_id": None}, {"user_group_id": 98765}, {"active": False}):
            pair.call("admin", "PATCH", path, json=body, note=str(body))
    for verb in ("make-core", "make-not-core", "deactivate", "reactivate", "delete", "reset/pip", "reset/pixi"):
        body = {"json": {}} if verb.startswith("reset") else {}
        pair.call("admin", "POST", f"/admin/v2/task-group/98765/{verb}/", **body)
        pair.call("u1", "POST", f"{one}{verb}/", **body)
    for body in (
        {},
        {"pinned_package_versions_pre": {"a": "1"}},
        {"pinned_package_versions_post": "x"},
        {"python_version": "2.7"},
        {"surplus": 1},
    ):
        pair.call("admin", "POST", f"{one}reset/pip/", json=body, note=str(body))
        pair.call("admin", "POST", f"{one}reset/pixi/", json=body, note=str(body))
    pair.call("admin", "POST", f"{one}make-core/", note="taken by another")
    pair.call("admin", "POST", "/admin/v2/task-group/$ag2/make-core/")
    pair.call("admin", "POST", "/admin/v2/task-group/$ag2/make-not-core/")
    pair.call("admin", "POST", f"{one}reactivate/", note="active")
    pair.call("admin", "POST", f"{one}delete/", note="in use")
    pair.call("admin", "POST", f"{one}deactivate/")
    pair.call("admin", "POST", f"{one}deactivate/", note="inactive")
    for kind in ("pip", "pixi"):
        pair.call("admin", "POST", f"{one}reset/{kind}/", json={}, note="of no package")
    pair.call("admin", "POST", f"{one}reactivate/")
    pair.call("admin", "POST", "/admin/v2/task-group/$ag2/delete/", save="deletion")
    pair.wait("u1", "/task-group/activity/$deletion/")
    path = "/admin/v2/task-group/activity/"
    mine = {"pkg_name": "admin"}
    lists(
        pair,
        path,
        [
            mine | {"action": "deactivate"},
            mine | {"action": "x"},
            mine | {"status": "OK", "action": "reactivate"},
            mine | {"status": "failed"},
            mine | {"user_id": "$u2"},
            mine | {"user_id": 0, "action": "deactivate"},
            mine | {"taskgroupv2_id": 0, "action": "deactivate"},
            {"taskgroupv2_id": "$ag1"},
            {"task_group_activity_id": 0},
            {"taskgroupv2_id": "$ag1", "timestamp_started_min": TIMES[0]},
            {"taskgroupv2_id": "$ag1", "timestamp_started_min": TIMES[1]},
            {"taskgroupv2_id": "$ag1", "page": 2, "page_size": 1},
        ],
    )


def jobs(pair: Pair) -> None:
    project = {"name": "Administered jobs"}
    pair.call("u1", "POST", "/project/", json=project, save="jobs_p")
    pair.call("u1", "POST", "/project/$jobs_p/dataset/", json={"name": "d"}, save="jobs_d")
    pair.call("u1", "POST", "/project/$jobs_p/workflow/", json={"name": "w"}, save="jobs_w")
    Path(pair.ours.variables["shared"], "sleep.py").write_text("import time; time.sleep(8)")
    command = "$python $shared/sleep.py"
    task = {"name": "Admin sleeps", "version": "1", "command_non_parallel": command, "type": "converter_non_parallel"}
    pair.call("u1", "POST", "/task/", json=task, save="jobs_t")
    twice = [{"task_id": "$jobs_t"}, {"task_id": "$jobs_t"}]
    pair.call("u1", "POST", "/project/$jobs_p/workflow/$jobs_w/wftask/", json=twice)
    query = {"workflow_id": "$jobs_w", "dataset_id": "$jobs_d"}
    pair.call("u1", "POST", "/project/$jobs_p/job/submit/", json={}, params=query, save="jobs_j")
    one = "/admin/v2/job/$jobs_j/"
    for body in ({"status": "done"}, {"status": "submitted"}, {"status": "x"}, {}, {"status": "failed", "log": "x"}):
        pair.call("admin", "PATCH", one, json=body, note=str(body))
    pair.call("admin", "PATCH", "/admin/v2/job/98765/", json={"status": "failed"})
    pair.call("u1", "PATCH", one, json={"status": "failed"})
    meanwhile(pair)
    pair.call("admin", "GET", one, note="submitted")
    pair.call("admin", "PATCH", one, json={"status": "failed"}, note="done")
    pair.call("admin", "PATCH", one, json={"status": "failed"}, note="again")
    pair.call("admin", "GET", one, note="failed")
    pair.call("admin", "GET", one, params={"show_tmp_logs": True}, note="failed")
    pair.call("admin", "GET", f"{one}download/")
    for path in ("98765/", "98765/download/"):
        pair.call("admin", "GET", f"/admin/v2/job/{path}")
    pair.call("u1", "GET", one)
    mine = {"project_id": "$jobs_p", "log": False}
    lists(
        pair,
        "/admin/v2/job/",
        [
            {"id": 98765},
            mine | {"status": "failed", "resource_id": 98765},
            mine | {"status": "x"},
            mine | {"project_owner_id": "$u2"},
            mine | {"job_user_email": "u2@EXAMPLE.org"},
            mine | {"job_user_email": "nobody"},
            mine | {"dataset_id": 98765},
            mine | {"workflow_id": 98765},
            mine | {"start_timestamp_max": TIMES[0]},
            mine | {"end_timestamp_max": TIMES[0]},
            mine | {"start_timestamp_min": "2020-01-01"},
            mine | {"log": "x"},
        ],
    )


def meanwhile(pair: Pair) -> None:
    """What is refused, and what is not, while a job runs."""
    project, flow = "/project/$jobs_p/", "/project/$jobs_p/workflow/$jobs_w/"
    pair.pick("u1", flow, "jobs_wt", lambda body: body["task_list"][0]["id"])
    pair.pick("u1", "/task/$jobs_t/", "jobs_g", lambda body: body["taskgroupv2_id"])
    pair.call("u1", "DELETE", f"{flow}wftask/$jobs_wt/", note="while a job runs")
    pair.call("u1", "DELETE", flow, note="while a job runs")
    pair.call("u1", "DELETE", f"{project}dataset/$jobs_d/", note="while a job runs")
    pair.call("u1", "DELETE", project, note="while a job runs")
    pair.call("u1", "PATCH", flow, json={"name": "renamed"}, note="while a job runs")
    pair.call("u1", "PATCH", flow, json={"reordered_workflowtask_ids": ["$jobs_wt"]}, note="while a job runs")
    pair.call("u1", "PATCH", f"{flow}wftask/$jobs_wt/", json={"alias": "a"}, note="while a job runs")
    pair.call("u1", "POST", f"{flow}wftask/", json=[{"task_id": "$jobs_t"}], note="while a job runs")
    first = {"order": 0}
    pair.call("u1", "POST", f"{flow}wftask/", json=[{"task_id": "$jobs_t"}], params=first, note="while a job runs")
    which = {"workflow_id": "$jobs_w", "dataset_id": "$jobs_d"}
    pair.call("u1", "POST", f"{project}job/submit/", json={}, params=which, note="while a job runs")
    pair.call("u1", "GET", f"{project}latest-job/", params=which, note="while a job runs")
    for verb in ("deactivate", "delete"):
        pair.call("u1", "POST", f"/task-group/$jobs_g/{verb}/", note="while a job runs")
        pair.call("admin", "POST", f"/admin/v2/task-group/$jobs_g/{verb}/", note="while a job runs")
    pair.call("u1", "GET", f"{project}job/$jobs_j/", params={"show_tmp_logs": "x"}, note="while a job runs")


def accounting(pair: Pair) -> None:
    for path in ("/admin/v2/accounting/", "/admin/v2/accounting/slurm/"):
        pair.call("admin", "POST", path, note="no body")
        pair.call("u1", "POST", path, json={})
        for body in (
            {"user_id": 98765},
            {"user_id": "x"},
            {"user_id": 98765, "fractal_job_id": 1, "surplus": 1, "resource_id": 1},
            {"user_id": 98765, "timestamp_min": TIMES[0], "timestamp_max": TIMES[1]},
            {"timestamp_min": "2020-01-01T00:00:00"},
        ):
            pair.call("admin", "POST", path, json=body, note=str(body))
    for who in ("nobody", "u1", "admin"):
        pair.call(who, "POST", "/admin/v2/accounting/", json={}, params={"page": 0}, note="page 0")
