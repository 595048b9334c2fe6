"""Jobs on a real cluster, through api, engine and agent."""

import asyncio
import io
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from fractal_common.database.models import AccountingRecord, AccountingRecordSlurm, User
from sqlalchemy import select, update

from tests.processes import until
from tests.slurm.accounts import SERVICE
from tests.slurm.lab import Flow, Lab


async def accounted(lab: Lab) -> list[list[int]]:
    async with lab.database.session() as session:
        rows = await session.scalars(select(AccountingRecordSlurm).order_by(AccountingRecordSlurm.id))
        return [sorted(row.slurm_job_ids or []) for row in rows]


async def counted(lab: Lab) -> list[int]:
    async with lab.database.session() as session:
        return list(await session.scalars(select(AccountingRecord.num_tasks).order_by(AccountingRecord.id)))


def started(lab: Lab, count: int) -> Callable[[], bool]:
    return lambda: len(lab.keys()) >= count


async def test_a_job_from_its_submission_to_its_end(lab: Lab) -> None:
    def act() -> None:
        flow = Flow(lab, images=5, meta={"time": "4", "extra_lines": ["export A=1"]})
        submitted = flow.submit(worker_init="export B=2\n\nif true; then\n  export C=3\nfi")
        folder = submitted["working_dir_user"]
        assert folder.startswith(f"{lab.project_dir(SERVICE)}/fractal/.fractal_cache/")
        assert folder.rpartition("/")[2] == submitted["working_dir"].rpartition("/")[2]
        job = flow.finished(submitted)
        assert (job["status"], job["executor_error_log"]) == ("done", None), job["log"]
        assert "slurm_account: lab\n" in job["log"]
        assert "worker_init: export B=2\n\nif true; then\n" in job["log"]
        assert lab.keys() == list("01234")
        rows = lab.slurm_jobs(flow.slurm_name, 2, "State", "Account", "AllocCPUS", "ReqMem", "Timelimit")
        assert rows == [
            ["COMPLETED", "lab", "1", "50M", "00:04:00"],
            ["COMPLETED", "lab", "4", "200M", "00:04:00"],
        ]
        units = flow.units()
        assert [unit["status"] for unit in units] == ["done"] * 5
        names = [unit["logfile"].rpartition("/")[2] for unit in units]
        assert names == [f"par-{n // 4:06d}-{n:07d}-log.txt" for n in range(5)]
        assert flow.unit_log(units[4]) == "processing 4\n"
        answer = flow.api.http.get(f"{flow.base}job/{job['id']}/download/")
        inside = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
        assert "workflow.log" in inside
        assert len([name for name in inside if name.endswith("-log.txt")]) == 5
        assert len([name for name in inside if name.endswith("-args.json")]) == 5

    await asyncio.to_thread(act)
    (ids,) = await accounted(lab)
    assert len(ids) == 2, "two requests of different size are two jobs"


async def test_a_compound_task_has_two_waves_and_its_use_is_measured(lab: Lab) -> None:
    def act() -> tuple[dict[str, object], dict[str, object]]:
        flow = Flow(lab, images=8, compound=True)
        flow.tell(sleep=2)
        job = flow.finished(flow.submit(worker_init="echo loading modules >&2"))
        assert job["status"] == "done", job["log"]
        assert lab.keys() == [*"01234567", "init"]
        path = f"job/{job['id']}/usage/"
        until(lambda: flow.api.get(flow.base + path)["slurm_jobs_measured"] == 3, "SLURM has told of all jobs")
        until(lambda: flow.of_job(job)["executor_error_log"] == "loading modules", "the errors of the job are known")
        recent = subprocess.run(
            [str(Path(sys.executable).with_name("fractalctl")), "recent"],
            env=lab.commands["engine"][1],
            cwd=lab.root,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert ", SLURM jobs: 3, CPU time: " in recent.stdout
        return flow.api.get(flow.base + path), job

    usage, job = await asyncio.to_thread(act)
    assert usage["job_id"] == job["id"]
    assert (usage["slurm_jobs"], usage["processes"]) == (3, 9)
    for name in ("cpu_s", "elapsed_s", "peak_memory_kb", "processes_wall_s", "processes_max_rss_kb"):
        assert usage[name], (name, usage)
    (task,) = usage["tasks"]  # type: ignore[misc, attr-defined]
    assert {name: value for name, value in task.items() if name in usage} == {
        name: value for name, value in usage.items() if name not in ("job_id", "tasks")
    }
    init, compute = await accounted(lab)
    assert (len(init), len(compute)) == (1, 1), "one job, and one job array"
    assert await counted(lab) == [9]


async def test_what_slurm_ends_says_so_and_is_run_again(lab: Lab) -> None:
    def act() -> None:
        flow = Flow(lab, images=6)
        flow.tell(code={"1": "sys.exit('no such channel')", "5": "time.sleep(600)"})
        job = flow.submit()
        until(started(lab, 6), "all processes run", 60)
        flow.lab.slurm.run("scancel", f"--name={flow.slurm_name}", "--state=RUNNING")
        job = flow.finished(job)
        assert job["status"] == "failed"
        first = "\n".join(job["log"].splitlines()[:8])
        assert "2 of 6 processes failed: " in first, job["log"]
        assert "exit code 1" in first
        assert "SLURM says: state CANCELLED" in first
        failures = {item["zarr_urls"][0][-1]: item for item in flow.of_job(job, "failures/")["items"]}
        assert sorted(failures) == ["1", "5"]
        cancelled = failures["5"]
        assert cancelled["cause"] == "cancelled"
        assert cancelled["scheduler"]["state"].startswith("CANCELLED")
        assert cancelled["scheduler"]["job_id"]
        unit = flow.units()[5]
        log = flow.unit_log(unit)
        assert log.startswith("processing 5\n")
        assert "CANCELLED" in log
        images = flow.api.post(f"{flow.base}dataset/{flow.dataset}/images/query/", None, 200)["items"]
        assert len(images) == 6
        flow.tell()
        lab.marks.write_text("")
        again = flow.finished(flow.api.post(f"{flow.base}job/{job['id']}/retry/", None, 202))
        assert again["status"] == "done", again["log"]
        assert lab.keys() == ["1", "5"]

    await asyncio.to_thread(act)


async def test_a_stop_cancels_every_slurm_job_and_keeps_what_is_finished(lab: Lab) -> None:
    def act() -> None:
        flow = Flow(lab, images=6, meta={"tasks_per_job": 2, "parallel_tasks_per_job": 2})
        flow.tell(code={str(number): "time.sleep(600)" for number in range(1, 6)})
        job = flow.submit()
        until(started(lab, 6), "all processes run", 60)
        until(lambda: [unit["status"] for unit in flow.units()].count("done") == 1, "one is done")
        queue = flow.api.http.get("/api/v2/job/squeue/", params={"scope": "user"})
        assert queue.headers["content-type"].startswith("text/plain")
        begin = time.monotonic()
        flow.api.get(f"{flow.base}job/{job['id']}/stop/", 202)
        job = flow.finished(job, 30)
        assert time.monotonic() - begin < 20
        assert job["status"] == "failed"
        assert "Failed due to job-execution shutdown." in job["log"]
        assert [unit["status"] for unit in flow.units()] == ["done", *["failed"] * 5]
        until(lambda: not lab.slurm.run("squeue", "-h", f"--name={flow.slurm_name}").strip(), "nothing is left")

    await asyncio.to_thread(act)


async def test_a_verdict_cancels_every_slurm_job_and_nothing_counts_any_more(lab: Lab) -> None:
    async with lab.database.transaction() as session:
        await session.execute(update(User).values(is_superuser=True))

    def act() -> None:
        flow = Flow(lab, images=4, meta={"tasks_per_job": 2, "parallel_tasks_per_job": 2})
        flow.tell(code={str(number): "time.sleep(600)" for number in range(4)})
        job = flow.submit()
        until(started(lab, 4), "all processes run", 60)
        failed = flow.api.patch(f"/admin/v2/job/{job['id']}/", {"status": "failed"})
        assert failed["status"] == "failed"
        until(lambda: not lab.slurm.run("squeue", "-h", f"--name={flow.slurm_name}").strip(), "nothing is left", 30)
        ids = flow.api.post("/admin/v2/accounting/slurm/", {"fractal_job_id": job["id"]}, 200)
        assert ids
        assert {unit["status"] for unit in flow.units()} == {"failed"}
        assert flow.api.get(f"/admin/v2/job/{job['id']}/")["log"] == failed["log"]

    await asyncio.to_thread(act)


async def test_logs_and_the_queue_while_a_job_runs(lab: Lab) -> None:
    def act() -> None:
        flow = Flow(lab, images=2, meta={"tasks_per_job": 1, "parallel_tasks_per_job": 1})
        flow.tell(sleep=600)
        job = flow.submit()
        until(started(lab, 2), "all processes run", 60)
        (unit, _) = flow.units()
        until(lambda: flow.unit_log(unit) == "processing 0\n", "the log is there while the process runs")

        def lines(**scope: str) -> list[str]:
            answer = flow.api.http.get("/api/v2/job/squeue/", params=scope)
            assert answer.status_code == 200, answer.text
            return answer.text.splitlines()

        until(lambda: len(lines()) >= 3, "the agent has seen the queue")
        header, *rows = lines()
        assert header == (
            "       JOBID PARTITION                     NAME           USER        ACCOUNT       STATE         TIME  "
            "NODES CPUS MIN_MEMORY NODELIST(REASON)"
        )
        assert all(SERVICE[:14] in row and "RUNNING" in row for row in rows)
        assert lines(scope="accounts")[1:] == lines(scope="user")[1:] or len(lines(scope="user")) == 3
        assert (
            "INFO - Start execution of workflow"
            in flow.api.get(f"{flow.base}job/{job['id']}/", show_tmp_logs=True)["log"]
        )
        flow.api.get(f"{flow.base}job/{job['id']}/stop/", 202)
        flow.finished(job)

    await asyncio.to_thread(act)


async def test_requests_that_cannot_be_made(lab: Lab) -> None:
    def act() -> None:
        flow = Flow(lab, images=2, meta={"mem": "2K"})
        job = flow.finished(flow.submit())
        assert job["log"] == (
            f"JOB ERROR in Fractal job {job['id']}:\nTRACEBACK:\nJobExecutionError\n\nAn error occurred.\n"
            "Original error:\n[_parse_mem_value] raw_mem='2K', invalid specification of memory requirements "
            "(valid examples: 93, 71M, 93G, 71T).\n\n"
        )
        assert flow.units() == []
        line = "#SBATCH --account=other"
        job = flow.finished(flow.submit(worker_init=f"export A=1\n{line}"))
        assert job["log"].startswith(f"UNKNOWN ERROR in Fractal job {job['id']}\nTRACEBACK:\n")
        assert f"Invalid line in `common_script_lines`: '{line}'.\nSLURM account must be set via" in job["log"]
        compound = Flow(lab, images=2, compound=True, meta={"cpus_per_task": 9})
        job = compound.finished(compound.submit())
        assert "[heuristics] Requested cpus_per_task=9 but max_cpus_per_job=4." in job["log"]
        assert [unit["status"] for unit in compound.units()] == ["failed"]
        refused = Flow(lab, images=2, meta={"time": "no time"})
        job = refused.finished(refused.submit())
        assert "time\n  Value error, must be one word, without white space" in job["log"]
        unknown = Flow(lab, images=5, meta={"constraint": "no-such-feature"})
        job = unknown.finished(unknown.submit())
        assert job["status"] == "failed"
        assert "sbatch: error: " in job["log"]
        assert {unit["status"] for unit in unknown.units()} == {"failed"}

    await asyncio.to_thread(act)
    assert await counted(lab) == [0, 0, 0, 5]


async def test_parts_may_be_killed_at_any_moment(lab: Lab) -> None:
    flow = await asyncio.to_thread(Flow, lab, 12, meta={"tasks_per_job": 3, "parallel_tasks_per_job": 3})
    await asyncio.to_thread(flow.tell, sleep=4)
    job = await asyncio.to_thread(flow.submit)
    for name in ("agent", "engine", "nats", "agent"):
        await asyncio.sleep(1.5)
        lab.kill(name)
        lab.start(name)

    def act() -> None:
        ended = flow.finished(job, 180)
        assert ended["status"] == "done", ended["log"]
        assert lab.keys() == sorted(str(number) for number in range(12))
        assert len(lab.slurm_jobs(flow.slurm_name, 4, "State")) == 4

    await asyncio.to_thread(act)
    (ids,) = await accounted(lab)
    assert len(ids) == 1


async def test_many_allocations_are_one_job_array(lab: Lab) -> None:
    def act() -> None:
        batching = {"tasks_per_job": 1, "parallel_tasks_per_job": 1}
        flow = Flow(lab, images=40, meta=batching | {"mem": "1M"})
        job = flow.finished(flow.submit(), 180)
        assert job["status"] == "failed", "max_num_jobs is 10"
        assert "[heuristics] Requested num_jobs=40 but max_num_jobs=10." in job["log"]
        flow = Flow(lab, images=10, meta=batching)
        job = flow.finished(flow.submit(), 180)
        assert job["status"] == "done", job["log"]
        ids = {row[0].partition("_")[0] for row in lab.slurm_jobs(flow.slurm_name, 10, "JobID")}
        assert len(ids) == 1

    await asyncio.to_thread(act)
