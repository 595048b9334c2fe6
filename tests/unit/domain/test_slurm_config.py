"""execution §11.2, §11.3, §13.1, §22: memory, precedence row by row, and the options of an allocation."""

from typing import Any

import pytest
from fractal_jobs.domain.errors import AccountLineError, PlanError
from fractal_jobs.domain.slurm_config import SlurmConfig, check_worker_init, memory_mb, needs_gpu, resolve
from fractal_jobs.domain.slurm_jobs import SlurmWave, in_script_order, plan_slurm

DEFAULT: dict[str, Any] = {"partition": "main", "cpus_per_task": 1, "mem": 100}
# As a resource is stored: every key is there.
STORED: dict[str, Any] = {
    **dict.fromkeys(("constraint", "gres", "exclude", "nodelist", "time", "account", "gpus", "nodes")),
    "extra_lines": [],
    "shebang_line": "#!/bin/sh",
    "use_mem_per_cpu": False,
}
BATCHING = {
    "target_num_jobs": 2,
    "max_num_jobs": 4,
    "target_cpus_per_job": 2,
    "max_cpus_per_job": 4,
    "target_mem_per_job": 200,
    "max_mem_per_job": 1000,
}


def runner(gpu: dict[str, Any] | None = None, exports: dict[str, str] | None = None, **default: Any) -> dict[str, Any]:
    return {
        "default_slurm_config": STORED | DEFAULT | default,
        "gpu_slurm_config": None if gpu is None else {**STORED, **dict.fromkeys(DEFAULT), **gpu},
        "batching_config": BATCHING,
        "user_local_exports": exports or {},
    }


def resolved(config: dict[str, Any], meta: dict[str, Any] | None = None, **others: Any) -> SlurmConfig:
    return resolve(config, meta or {}, **{"task_name": "T", **others})


def planned(config: dict[str, Any], meta: dict[str, Any] | None = None, **others: Any) -> SlurmWave:
    values: dict[str, Any] = {
        "count": 5,
        "single": False,
        "task_name": "Par Task",
        "account": None,
        "worker_init": None,
        "cache_dir": "/home/u/fractal/.fractal_cache",
        "python": "/opt/python",
    }
    return plan_slurm(config, meta or {}, **(values | others))


@pytest.mark.parametrize(("value", "expected"), [("93", 93), ("71M", 71), ("3G", 3000), ("2T", 2_000_000), (400, 400)])
def test_memory(value: object, expected: int) -> None:
    assert memory_mb(value) == expected


@pytest.mark.parametrize("value", ["2K", "1.5G", "1g", "1GB", "10 M", "-1", "", "0", 0, -1, True, 1.5, "٣G"])
def test_what_is_no_memory(value: object) -> None:
    with pytest.raises(PlanError) as error:
        memory_mb(value)
    assert str(error.value) == (
        f"[_parse_mem_value] raw_mem={value!r}, invalid specification of memory requirements "
        "(valid examples: 93, 71M, 93G, 71T)."
    )


@pytest.mark.parametrize(
    ("value", "expected"), [(True, True), (False, False), (None, False), ("true", True), ("False", False)]
)
def test_needs_gpu(value: object, expected: bool) -> None:
    assert needs_gpu({"needs_gpu": value}) is expected


@pytest.mark.parametrize("value", ["yes", "1", 1, ""])
def test_needs_gpu_of_something_else(value: object) -> None:
    with pytest.raises(PlanError, match=r"String must be 'true' or 'false'\."):
        needs_gpu({"needs_gpu": value})


def test_row_1_the_default_is_the_base() -> None:
    config = resolved(runner(time="1:00:00", account="lab", extra_lines=["module load x"], use_mem_per_cpu=True))
    assert (config.partition, config.cpus_per_task, config.mem) == ("main", 1, 100)
    assert (config.time, config.account, config.use_mem_per_cpu) == ("1:00:00", "lab", True)
    assert config.extra_lines == ["module load x"]


def test_row_4_the_gpu_section_overrides_what_it_says_and_nothing_else() -> None:
    config = runner({"partition": "gpu", "gres": "gpu:1", "mem": "1G"}, time="1:00", extra_lines=["module load x"])
    on_gpu = resolved(config, {"needs_gpu": "True"})
    assert (on_gpu.partition, on_gpu.gres, on_gpu.mem) == ("gpu", "gpu:1", 1000)
    assert (on_gpu.cpus_per_task, on_gpu.time, on_gpu.extra_lines) == (1, "1:00", ["module load x"])
    assert resolved(config, {"needs_gpu": False}).partition == "main"
    assert resolved(runner(), {"needs_gpu": True}).partition == "main"


def test_rows_5_to_8_the_workflow_task_overrides() -> None:
    asked = {
        "cpus_per_task": "2",
        "mem": "1G",
        "time": "2:00",
        "gres": "gpu:2",
        "gpus": "2",
        "constraint": "a100",
        "nodelist": "n1",
        "nodes": 1,
        "exclude": "n2",
    }
    config = resolved(runner(time="1:00"), asked)
    assert (config.cpus_per_task, config.mem) == (2, 1000)
    assert {name: getattr(config, name) for name in list(asked)[2:]} == dict(list(asked.items())[2:])
    assert resolved(runner(time="1:00"), {"time": None}).time == "1:00"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Par Task", "Par_Task"),
        ("Cellpose 3.1 (GPU)", "Cellpose_3.1_(GPU)"),
        ("a\tb\nc", "a_b_c"),
        ("é/ß", "é/ß"),
        ('Ada\'s "$x"', "Ada_s___x_"),
    ],
)
def test_row_7_the_name(name: str, expected: str) -> None:
    assert resolved(runner(), task_name=name).job_name == expected


def test_rows_9_and_13_lines_keep_their_order_and_a_script_stays_whole() -> None:
    script = "if a; then\n  x\nfi\n\n\nif b; then\n  y\nfi"
    config = resolved(
        runner(extra_lines=["module load x", "export A=1"]),
        {"extra_lines": ["export B=1", "module load x", "export B=1"]},
        worker_init=script,
    )
    assert config.extra_lines == ["module load x", "export A=1", "export B=1", *script.split("\n")]


def test_row_12_the_account_of_the_job_counts() -> None:
    assert resolved(runner(account="default"), account="mine").account == "mine"
    assert resolved(runner(account="default")).account == "default"


def test_an_account_in_meta_is_refused() -> None:
    with pytest.raises(PlanError) as error:
        resolved(runner(), {"account": "x"})
    assert str(error.value) == (
        "Invalid account='x' property in WorkflowTask `meta` attribute.\n"
        "SLURM account must be set in the request body of the apply-workflow endpoint, or by modifying the user "
        "properties."
    )


def test_keys_of_meta_that_say_nothing() -> None:
    ignored = {
        "partition": "other",
        "job_name": "x",
        "shebang_line": "#!/bin/bash",
        "use_mem_per_cpu": True,
        "user_local_exports": {"A": "b"},
        "whatever": 1,
    }
    assert resolved(runner(), ignored) == resolved(runner())


@pytest.mark.parametrize(
    ("meta", "text"),
    [
        ({"gpus": 1}, "1 validation error for SlurmConfig\ngpus\n  Input should be a valid string"),
        ({"nodes": "many"}, "1 validation error for SlurmConfig\nnodes\n  Input should be a valid integer"),
        ({"time": "1:00\n#SBATCH --account=x"}, "time\n  Value error, must be one word, without white space"),
        ({"constraint": "a --account=x"}, "constraint\n  Value error, must be one word, without white space"),
        ({"cpus_per_task": "two"}, "Invalid cpus_per_task='two' in WorkflowTask `meta` attribute: a positive integer"),
        ({"cpus_per_task": 0}, "Invalid cpus_per_task=0 in WorkflowTask `meta` attribute: a positive integer"),
        ({"mem": "2K"}, "[_parse_mem_value] raw_mem='2K', invalid specification of memory requirements"),
        (
            {"extra_lines": "x"},
            "Invalid extra_lines='x' in WorkflowTask `meta` attribute: a list of lines",
        ),
        ({"extra_lines": ["a\nb"]}, "Invalid extra_lines=['a\\nb'] in WorkflowTask `meta` attribute"),
        ({"extra_lines": ["#SBATCH -A other"]}, "Invalid line in `extra_lines` of WorkflowTask `meta`: '#SBATCH -A"),
    ],
)
def test_what_a_workflow_task_cannot_ask_for(meta: dict[str, Any], text: str) -> None:
    with pytest.raises(PlanError) as error:
        resolved(runner(), meta)
    assert text in str(error.value)


def test_partition_cpus_and_memory_are_required() -> None:
    config = {"default_slurm_config": STORED, "batching_config": BATCHING}
    with pytest.raises(PlanError) as error:
        resolved(config, {"mem": 1})
    text = str(error.value)
    assert text.startswith("2 validation errors for SlurmConfig\npartition\n")
    assert "\ncpus_per_task\n" in text


@pytest.mark.parametrize(
    "line",
    [
        "#SBATCH --account=x",
        "#SBATCH --account x",
        "#SBATCH -A x",
        "#SBATCH -Ax",
        "#SBATCH -p main --accou=x",
        "#SBATCH '--account=x'",
    ],
)
def test_a_script_cannot_change_the_account(line: str) -> None:
    with pytest.raises(AccountLineError) as error:
        check_worker_init(f"export A=1\n{line}\n")
    assert str(error.value) == (
        f"Invalid line in `common_script_lines`: '{line}'.\n"
        "SLURM account must be set via the request body of the apply-workflow endpoint, or by modifying the user "
        "properties."
    )


def test_what_only_looks_like_an_account() -> None:
    check_worker_init("#SBATCH --comment=--account\n# SBATCH --account=x\nexport X=--account=y\n#SBATCH --acctg-freq=1")


def test_options_in_the_order_of_the_script() -> None:
    config = runner(
        constraint="c", gres="g:1", gpus="1", time="1:00", account="lab", exclude="n3", nodelist="n[1-2]", nodes=2
    )
    job = planned(config, {"cpus_per_task": 1}).job(3)
    assert list(job.options.items()) == [
        ("partition", "main"),
        ("ntasks", "3"),
        ("cpus-per-task", "1"),
        ("mem", "300M"),
        ("job-name", "Par_Task"),
        ("constraint", "c"),
        ("gres", "g:1"),
        ("gpus", "1"),
        ("time", "1:00"),
        ("account", "lab"),
        ("exclude", "n3"),
        ("nodelist", "n[1-2]"),
        ("nodes", "2"),
    ]
    mixed = job.model_copy(update={"options": dict(sorted(job.options.items()))})
    assert list(in_script_order(mixed).options.items()) == list(job.options.items())


def test_memory_for_each_cpu() -> None:
    job = planned(runner(use_mem_per_cpu=True), {"cpus_per_task": 3, "mem": 1000}, count=1).job(1)
    assert job.options["mem-per-cpu"] == "333M"
    assert "mem" not in job.options
    assert (job.cpus_per_unit, job.memory_per_unit_mb) == (3, 1000)


def test_the_real_run() -> None:
    config = runner(
        exports={"CELLPOSE_LOCAL_MODELS_PATH": "CELLPOSE_LOCAL_MODELS_PATH", "ELSEWHERE": "/scratch"},
        extra_lines=["#SBATCH --comment=hello", "export ADMINVAR=1"],
    )
    wave = planned(config, worker_init="#SBATCH --comment=wi\nexport MYVAR=2")
    assert (wave.units_per_job, wave.processes) == (4, 4)
    jobs = [wave.job(4), wave.job(1)]
    assert [(job.options["ntasks"], job.options["mem"]) for job in jobs] == [("4", "400M"), ("1", "100M")]
    assert jobs[0].extra_lines == [
        "#SBATCH --comment=hello",
        "export ADMINVAR=1",
        "#SBATCH --comment=wi",
        "export MYVAR=2",
    ]
    assert jobs[0].exports == {
        "CELLPOSE_LOCAL_MODELS_PATH": "/home/u/fractal/.fractal_cache/CELLPOSE_LOCAL_MODELS_PATH",
        "ELSEWHERE": "/scratch",
    }
    assert (jobs[0].shebang_line, jobs[0].python) == ("#!/bin/sh", "/opt/python")


def test_rows_10_11_14_and_gpus_how_many_at_a_time() -> None:
    asked = planned(runner(), {"tasks_per_job": 3, "parallel_tasks_per_job": "2"})
    assert (asked.units_per_job, asked.processes) == (3, 2)
    unset = planned(runner(), {"tasks_per_job": 0, "parallel_tasks_per_job": None})
    assert (unset.units_per_job, unset.processes) == (4, 4)
    single = planned(runner(), {"tasks_per_job": 3, "parallel_tasks_per_job": 2}, count=1, single=True)
    assert single.processes == 1
    gpu = planned(runner({"gres": "gpu:1"}), {"needs_gpu": True})
    assert (gpu.units_per_job, gpu.processes) == (4, 1)
    assert gpu.job(4).options["ntasks"] == "1"
    with pytest.raises(PlanError, match="Invalid tasks_per_job='many'"):
        planned(runner(), {"tasks_per_job": "many", "parallel_tasks_per_job": 2})
