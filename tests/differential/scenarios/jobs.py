"""Submission, reading and files of jobs, all kinds of task."""

from typing import Any

from ..pair import Pair

PUPPET = """\
import json, sys
args = json.load(open(sys.argv[sys.argv.index("--args-json") + 1]))
key = args.get("zarr_url") or args["zarr_dir"]
print("a WARNING" if args.get("warn") else "all is well")
if key.rpartition("/")[2] in args.get("fail_on", []):
    sys.exit("no such channel")
outputs = args.get("outputs", {})
found = outputs.get(key.rpartition("/")[2], outputs.get("*"))
if found is not None:
    text = json.dumps(found).replace("ZARR", args.get("zarr_dir") or key.rpartition("/")[0])
    open(sys.argv[sys.argv.index("--out-json") + 1], "w").write(text)
"""
TASKS = {
    "j_par": {"name": "J par", "command_parallel": "$python $shared/puppet.py"},
    "j_np": {"name": "J np", "command_non_parallel": "$python $shared/puppet.py"},
    "j_comp": {
        "name": "J comp",
        "command_non_parallel": "$python $shared/puppet.py",
        "command_parallel": "$python $shared/puppet.py",
    },
    "j_conv": {"name": "J conv", "command_non_parallel": "$python $shared/puppet.py", "type": "converter_non_parallel"},
    "j_out": {
        "name": "J out",
        "command_parallel": "$python $shared/puppet.py",
        "input_types": {"3D": True},
        "output_types": {"done": True},
    },
}


def run(pair: Pair) -> None:
    from pathlib import Path

    script = Path(pair.ours.variables["shared"]) / "puppet.py"
    script.write_text(PUPPET)
    script.chmod(0o755)
    for name, body in TASKS.items():
        pair.call("u1", "POST", "/task/", json=body | {"version": "1"}, save=name)
    pair.call("u1", "POST", "/project/", json={"name": "Jobs"}, save="jp")
    pair.call("u1", "POST", "/project/$jp/workflow/", json={"name": "empty"}, save="jw0")
    dataset(pair, "jd")
    refusals(pair)
    pair.call("u1", "POST", "/project/$jp/workflow/", json={"name": "jw"}, save="jw")
    tasks = [
        {"task_id": "$j_par", "args_parallel": {"warn": True}},
        {
            "task_id": "$j_np",
            "args_non_parallel": {
                "outputs": {"*": {"image_list_updates": [{"zarr_url": "ZARR/new", "attributes": {"n": 9}}]}}
            },
        },
        {"task_id": "$j_out"},
    ]
    pair.call("u1", "POST", "/project/$jp/workflow/$jw/wftask/", json=tasks)
    job(pair, "job1", "jw", "jd", {"worker_init": "\n export X=1 \n", "attribute_filters": {"n": [0, 1]}})
    job(pair, "job2", "jw", "jd", {"first_task_index": 2, "type_filters": {"nothing": True}})
    job(pair, "job3", "jw", "jd", {"first_task_index": 0, "last_task_index": 0})
    pair.call("u1", "GET", "/project/$jp/latest-job/", params={"workflow_id": "$jw", "dataset_id": "$jd"})
    flow(pair, "fails", [{"task_id": "$j_par", "args_parallel": {"fail_on": ["1"]}}])
    flow(
        pair,
        "compound",
        [
            {
                "task_id": "$j_comp",
                "args_non_parallel": {
                    "outputs": {
                        "*": {
                            "parallelization_list": [
                                {"zarr_url": "ZARR/0"},
                                {"zarr_url": "ZARR/1", "init_args": {"a": 1}},
                            ]
                        }
                    }
                },
            }
        ],
    )
    flow(pair, "empty compound", [{"task_id": "$j_comp"}])
    flow(
        pair,
        "compound fails",
        [
            {
                "task_id": "$j_comp",
                "args_parallel": {"fail_on": ["0"]},
                "args_non_parallel": {
                    "outputs": {"*": {"parallelization_list": [{"zarr_url": "ZARR/0"}, {"zarr_url": "ZARR/1"}]}}
                },
            }
        ],
    )
    flow(
        pair,
        "converter",
        [
            {
                "task_id": "$j_conv",
                "args_non_parallel": {
                    "outputs": {"*": {"image_list_updates": [{"zarr_url": "ZARR/made", "types": {"3D": True}}]}}
                },
            },
            {"task_id": "$j_par"},
        ],
    )
    for name, output in (
        ("unknown key", {"foo": 1}),
        ("list", [1]),
        ("null", None),
        ("outside", {"image_list_updates": [{"zarr_url": "/else/im9"}]}),
        ("its directory", {"image_list_updates": [{"zarr_url": "ZARR"}]}),
        ("missing removal", {"image_list_removals": ["ZARR/nothing"]}),
        ("removal", {"image_list_removals": ["ZARR/0"]}),
        (
            "same twice",
            {"image_list_updates": [{"zarr_url": "ZARR/0", "attributes": {"a": 1}}, {"zarr_url": "ZARR/0"}]},
        ),
        ("attribute removed", {"image_list_updates": [{"zarr_url": "ZARR/0", "attributes": {"n": None, "new": 1}}]}),
        ("origin", {"image_list_updates": [{"zarr_url": "ZARR/9", "origin": "ZARR/0", "attributes": {"q": 2}}]}),
        ("bad attribute", {"image_list_updates": [{"zarr_url": "ZARR/0", "attributes": {"n": [1]}}]}),
    ):
        flow(pair, f"output {name}", [{"task_id": "$j_np", "args_non_parallel": {"outputs": {"*": output}}}])
    status(pair)


def dataset(pair: Pair, name: str) -> None:
    pair.call("u1", "POST", "/project/$jp/dataset/", json={"name": name}, save=name)
    pair.pick("u1", f"/project/$jp/dataset/${name}/", f"z{name}", lambda body: body["zarr_dir"])
    for number in range(3):
        image = {"zarr_url": f"${{z{name}}}/{number}", "attributes": {"n": number}, "types": {"3D": number < 2}}
        pair.each("u1", "POST", f"/project/$jp/dataset/${name}/images/", json=image)


def job(
    pair: Pair, name: str, workflow: str, dataset_name: str, body: dict[str, Any], *, any_order: bool = False
) -> None:
    params = {"workflow_id": f"${workflow}", "dataset_id": f"${dataset_name}"}
    pair.call("u1", "POST", "/project/$jp/job/submit/", params=params, json=body, save=name, note=name)
    pair.wait("u1", f"/project/$jp/job/${name}/")
    pair.call("u1", "GET", f"/project/$jp/job/${name}/", note=name)
    pair.call("u1", "GET", "/project/$jp/latest-job/", params=params, note=name)
    pair.call(
        "u1", "POST", f"/project/$jp/dataset/${dataset_name}/images/query/", note=f"after {name}", any_order=any_order
    )


def flow(pair: Pair, name: str, tasks: list[dict]) -> None:
    """One job of a new workflow on a new dataset, and its history."""
    key = name.replace(" ", "_")
    dataset(pair, f"d_{key}")
    pair.call("u1", "POST", "/project/$jp/workflow/", json={"name": name}, save=f"w_{key}")
    pair.call("u1", "POST", f"/project/$jp/workflow/$w_{key}/wftask/", json=tasks, save=f"wt_{key}")
    job(pair, f"j_{key}", f"w_{key}", f"d_{key}", {})
    which = {"dataset_id": f"$d_{key}", "workflowtask_id": f"$wt_{key}"}
    pair.call("u1", "GET", "/project/$jp/status/run/", params=which, note=name)
    pair.call(
        "u1", "POST", "/project/$jp/status/images/", params=which | {"include_warnings": True}, json={}, note=name
    )
    pair.pick("u1", "/project/$jp/status/run/", f"r_{key}", lambda body: body[0]["id"], params=which)
    pair.call("u1", "GET", f"/project/$jp/status/run/$r_{key}/units/", params=which, note=name)


def refusals(pair: Pair) -> None:
    path = "/project/$jp/job/submit/"
    pair.call("u1", "POST", "/project/$jp/workflow/", json={"name": "refused"}, save="jwr")
    pair.call("u1", "POST", "/project/$jp/workflow/$jwr/wftask/", json=[{"task_id": "$j_par"}, {"task_id": "$j_par"}])
    good = {"workflow_id": "$jwr", "dataset_id": "$jd"}
    for params in (
        {},
        {"workflow_id": "$jwr"},
        {"workflow_id": "$jwr", "dataset_id": 98765},
        {"workflow_id": 98765, "dataset_id": "$jd"},
        {"workflow_id": 98765, "dataset_id": 98765},
        {"workflow_id": "$jw0", "dataset_id": "$jd"},
        {"workflow_id": "x", "dataset_id": "$jd"},
        {"workflow_id": "$w1", "dataset_id": "$jd"},
    ):
        pair.call("u1", "POST", path, params=params, json={}, note=str(params))
    for who in ("u2", "guest", "nobody", "stranger"):
        pair.call(who, "POST", path, params=good, json={})
    for body in (
        None,
        [],
        {"first_task_index": -1},
        {"first_task_index": 2},
        {"last_task_index": 2},
        {"first_task_index": 1, "last_task_index": 0},
        {"first_task_index": "1", "last_task_index": "0"},
        {"first_task_index": "2", "last_task_index": "10"},
        {"first_task_index": "a", "last_task_index": 1},
        {"first_task_index": 1.5},
        {"first_task_index": None, "last_task_index": 5},
        {"slurm_account": "x"},
        {"slurm_account": 1},
        {"worker_init": None},
        {"worker_init": "  "},
        {"worker_init": 1},
        {"attribute_filters": {"a": []}},
        {"attribute_filters": {"a": [1, "x"]}},
        {"attribute_filters": None},
        {"type_filters": None},
        {"type_filters": {"a": "x"}},
        {"x": 1},
    ):
        pair.call("u1", "POST", path, params=good, json=body, note=str(body))
    pair.call("u1", "GET", "/project/$jp/latest-job/", params=good, note="no job")


def status(pair: Pair) -> None:
    for who in ("u1", "u2", "guest"):
        for log in (True, False):
            pair.call(who, "GET", "/job/", params={"log": log})
            pair.call(who, "GET", "/project/$jp/job/", params={"log": log})
        pair.call(who, "GET", "/project/$jp/workflow/$jw/job/")
        pair.call(who, "GET", "/project/$jp/job/$job1/")
        pair.call(who, "GET", "/project/$jp/job/$job1/", params={"show_tmp_logs": True})
        pair.call(who, "GET", "/project/$jp/job/$job1/download/")
        pair.call(who, "GET", "/project/$jp/latest-job/", params={"workflow_id": "$jw", "dataset_id": "$jd"})
    pair.call("u1", "GET", "/project/$jp/job/98765/")
    pair.call("u1", "GET", "/project/$jp/job/98765/download/")
    pair.call("u1", "GET", "/project/$jp/workflow/98765/job/")
    pair.call("u1", "GET", "/project/$jp/latest-job/", params={"workflow_id": 98765, "dataset_id": "$jd"})
    pair.call("u1", "GET", "/project/$jp/latest-job/", params={"workflow_id": "$jw", "dataset_id": 98765})
    pair.call("u1", "GET", "/job/squeue/")
    pair.call("u1", "GET", "/job/squeue/", params={"scope": "x"})
    pair.call("guest", "GET", "/job/squeue/")
