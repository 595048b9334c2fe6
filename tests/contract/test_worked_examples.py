"""execution §2.4, §3, §4, §8, §9, §16: the worked examples, through the real engine and agent."""

import io
import json
import zipfile
from typing import Any

from .puppet import Flow, Step, updates


def members(flow: Flow, job: dict[str, Any]) -> dict[str, bytes]:
    answer = flow.api.http.get(f"/api/v2/project/{flow.project}/job/{job['id']}/download/")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def slug(flow: Flow, order: int) -> str:
    task = flow.api.get(f"/api/v2/project/{flow.project}/workflow/{flow.workflow}/")["task_list"][order]["task"]
    return "".join(letter if letter.isalnum() else "_" for letter in task["name"].lower())


def test_the_log_of_a_job(flow: Any) -> None:
    one = flow(Step("parallel", alias="First"))
    job = one.run({"worker_init": "export X=1", "type_filters": {"x": False}}).job
    prefix = f" - WF{one.workflow}_job{job['id']} - "
    lines = [line.partition(prefix)[2] for line in job["log"].splitlines()]
    task = one.api.get(f"/api/v2/project/{one.project}/workflow/{one.workflow}/")["task_list"][0]["task"]
    group = one.api.get(f"/api/v2/task-group/{task['taskgroupv2_id']}/")
    label = f"('First', '{task['name']}', {group['pkg_name']} {group['version']})"
    where = f'workflow "w"; more logs at {job["working_dir"]}/workflow.log'
    # Others of this server's tests have made resources and profiles as well: the first ones are everybody's.
    profile = one.database.execute("SELECT name, username FROM jobs.profile ORDER BY id").fetchone()
    resource = one.database.execute("SELECT name FROM jobs.resource ORDER BY id").fetchone()
    assert lines == [
        f"INFO - Start execution of {where}",
        f"DEBUG - Resource name: {resource[0]}",
        f"DEBUG - Profile name: {profile[0]}",
        f"DEBUG - Username: {profile[1]}",
        f"DEBUG - job.id: {job['id']}",
        f"DEBUG - job.working_dir: {job['working_dir']}",
        f"DEBUG - job.working_dir_user: {job['working_dir_user']}",
        "DEBUG - job.first_task_index: 0",
        "DEBUG - job.last_task_index: 0",
        'DEBUG - START workflow "w"',
        f"DEBUG - SUBMIT 0-th task {label}",
        f"DEBUG - END    {label}",
        f"INFO - End execution of {where}",
        'DEBUG - END workflow "w"',
    ]
    assert members(one, job)["workflow.log"].decode() == job["log"]
    assert job["working_dir_user"] == job["working_dir"]


def test_type_filters_flow_from_task_to_task(flow: Any) -> None:
    projected = {
        key: updates({"zarr_url": f"{key}_mip", "origin": key, "types": {"is_3D": False}}) for key in ("a", "b")
    }
    three = {"is_3D": True}
    one = flow(
        Step("parallel", returns=projected, input_types=three, output_types={"is_3D": False}),
        Step("parallel"),
        Step("parallel", type_filters=three, output_types={"third": True}),
        images=[{"zarr_url": "a", "types": three}, {"zarr_url": "b", "types": three}, {"zarr_url": "c"}],
    )
    job = one.run().job
    assert job["status"] == "done", job["log"]
    third = three | {"third": True}
    flat = {"is_3D": False}
    assert one.types() == {"a": third, "b": third, "c": {}, "a_mip": flat, "b_mip": flat}
    runs = one.database.execute(
        "SELECT num_available_images FROM jobs.historyrun WHERE dataset_id = %s ORDER BY id", [one.dataset]
    )
    assert [count for (count,) in runs] == [2, 3, 2]


def test_a_range_of_tasks_skips_the_filters_of_those_before(flow: Any) -> None:
    one = flow(
        Step("parallel", output_types={"is_3D": False}),
        Step("parallel", output_types={"second": True}),
        Step("parallel", output_types={"third": True}),
        images=[{"zarr_url": "a", "types": {"is_3D": True}}],
    )
    job = one.run({"first_task_index": 1, "last_task_index": 1}).job
    assert job["status"] == "done"
    assert one.types() == {"a": {"is_3D": True, "second": True}}
    assert any(name.startswith(f"1_{slug(one, 1)}/") for name in members(one, job))


def test_a_jobs_type_filter_loses_to_the_tasks_input_types(flow: Any) -> None:
    one = flow(
        Step("parallel", input_types={"is_3D": True}, output_types={"seen": True}),
        images=[{"zarr_url": "a", "types": {"is_3D": True}}, {"zarr_url": "b"}],
    )
    assert one.run({"type_filters": {"is_3D": False}}).job["status"] == "done"
    assert one.types() == {"a": {"is_3D": True, "seen": True}, "b": {}}


def test_attribute_filters_compare_as_in_python(flow: Any) -> None:
    images = [{"zarr_url": str(n), "attributes": {"k": k}} for n, k in enumerate((1, 1.0, True, "1", 2))]
    one = flow(Step("parallel", output_types={"seen": True}), images=images)
    assert one.run({"attribute_filters": {"k": [1]}}).job["status"] == "done"
    assert [name for name, types in one.types().items() if types] == ["0", "1", "2"]


def test_removed_images_leave_the_list_and_the_history_of_their_task(flow: Any) -> None:
    one = flow(Step("parallel", returns={"a": '{"image_list_removals": ["{z}/a/"]}'}, output_types={"proc": True}))
    assert one.run().statuses == ("done", "done", ["done", "done"], [2])
    assert one.types() == {"b": {}}
    cached = one.database.execute(
        "SELECT zarr_url FROM jobs.historyimagecache WHERE workflowtask_id = %s", one.workflowtasks
    )
    assert [url for (url,) in cached] == [one.url("b")]


def test_a_compound_task(flow: Any) -> None:
    pairs = [("a", {"k": 1}), ("a", {"k": 1}), ("a", {"k": 2}), ("b", {})]
    listed = [{"zarr_url": f"{{z}}/{name}", "init_args": args} for name, args in pairs]
    one = flow(
        Step("compound", returns={"init": json.dumps({"parallelization_list": listed})}, output_types={"p": True})
    )
    outcome = one.run()
    assert outcome.statuses == ("done", "done", ["done"] * 4, [4])
    assert one.types() == {"a": {"p": True}, "b": {"p": True}}
    folder = f"0_{slug(one, 0)}"
    files = members(one, outcome.job)
    names = ["non_par-", *(f"par-000000-{number:07d}" for number in range(3))]
    logs_and_arguments = {f"{folder}/{name}-{kind}" for name in names for kind in ("args.json", "log.txt")}
    assert files.keys() == {"workflow.log", f"{folder}/non_par--metadiff.json"} | logs_and_arguments
    arguments = [json.loads(files[f"{folder}/par-000000-{number:07d}-args.json"]) for number in range(3)]
    assert [(one_of["zarr_url"], one_of["init_args"]) for one_of in arguments] == [
        (one.url("a"), {"k": 1}),
        (one.url("a"), {"k": 2}),
        (one.url("b"), {}),
    ]
    init = json.loads(files[f"{folder}/non_par--args.json"])
    assert next(iter(init)) == "zarr_dir"
    assert init["zarr_urls"] == [one.url("a"), one.url("b")]
    cached = one.database.execute(
        "SELECT DISTINCT u.part, u.index FROM jobs.historyimagecache c "
        "JOIN jobs.historyunit u ON u.id = c.latest_history_unit_id WHERE c.dataset_id = %s",
        [one.dataset],
    )
    assert cached.fetchall() == [("non_par", 0)]
    logfiles = one.database.execute(
        "SELECT logfile FROM jobs.historyunit u JOIN jobs.historyrun r ON r.id = history_run_id WHERE job_id = %s "
        "ORDER BY u.id",
        [outcome.job["id"]],
    )
    assert [file for (file,) in logfiles] == [f"{outcome.job['working_dir']}/{folder}/{name}-log.txt" for name in names]


def test_accounting_counts_processes_and_new_images(flow: Any) -> None:
    new = {"a": updates({"zarr_url": "new", "origin": "a"}), "b": updates({"zarr_url": "b", "attributes": {"n": 1}})}
    one = flow(Step("parallel", returns=new), Step("non_parallel"))
    assert one.run().job["status"] == "done"
    rows = one.database.execute(
        "SELECT num_tasks, num_new_images FROM jobs.accountingrecord WHERE user_id = %s ORDER BY id", [one.user.id]
    )
    assert rows.fetchall() == [(2, 1), (1, 0)]
