"""Each way in which a job, or one of its processes, may fail: the cause, and the scheduler's own words."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest
from fractal_common.messages import BatchFinished, BatchRun

from tests.slurm.accounts import USERS
from tests.slurm.cluster import ACCOUNT
from tests.slurm.site import PYTHON, Site

USER, OTHER, _ = USERS
SLOWLY = "held = []\nfor _ in range(40): held.append(bytearray(10 * 2**20)); time.sleep(0.1)"
AT_ONCE = "held = bytearray(600 * 2**20)"


async def fail(site: Site, run: BatchRun, timeout_s: float = 60) -> BatchFinished:
    """Its end, which has to be a failure with words."""
    await site.finish(run, timeout_s=timeout_s)
    event = site.finished[run.batch]
    assert event.cause != "COMPLETED"
    assert event.error
    return event


async def started(site: Site, name: str, run: BatchRun, count: int = 1) -> str:
    await site.say(run)
    await site.until_started(name, count)
    await site.until(lambda: run.batch in site.handles)  # it may be told after its first process has begun
    return site.handles[run.batch]


async def start_again(site: Site, job: str) -> None:
    """SLURM keeps a job that it has put back for two minutes; not here."""
    reason = ("squeue", "-h", "-j", job, "-o", "%r")
    await site.until(lambda: site.slurm.run(*reason).strip() == "BeginTime")
    site.slurm.run("scontrol", "update", f"jobid={job}", "StartTime=now")


@pytest.mark.parametrize("code", [SLOWLY, AT_ONCE], ids=["slowly", "at-once"])
async def test_a_process_that_takes_too_much_memory_fails_alone(site: Site, code: str) -> None:
    if code == AT_ONCE and not site.slurm.shape.memory_is_constrained:
        pytest.skip("without control groups nothing stops a process between two looks")
    (run,) = site.wave("memory", units=6, memory_mb=100, sleep=2, codes={2: code})
    await site.say(run)
    await site.finish(run)
    assert site.finished[run.batch].cause == "COMPLETED"
    outcomes = site.outcomes[run.batch]
    assert {index: outcome.status for index, outcome in outcomes.items() if outcome.status == "failed"} == {2: "failed"}
    assert outcomes[2].cause == "out_of_memory"
    assert site.started("memory") == list(range(6))
    if code == SLOWLY:
        assert "100 MB are asked for" in str(outcomes[2].error)


async def test_a_job_that_takes_too_much_memory(site: Site) -> None:
    """What a user's own lines start is nobody's process: the kernel ends it, and it ends the job."""
    if not site.slurm.shape.memory_is_constrained:
        pytest.skip("without control groups SLURM does not know that memory was the cause")
    hog = f'{PYTHON} -c \'import time; held = [b"x" * (100 << 20)]; time.sleep(4); held.append(b"x" * (400 << 20))\''
    lines = [f"( {hog} || kill -9 $$ ) &"]
    (run,) = site.wave(
        "job-memory", units=3, memory_mb=100, sleep=60, codes={0: "args['sleep'] = 0"}, extra_lines=lines
    )
    await started(site, "job-memory", run, 3)
    event = await fail(site, run)
    assert event.cause == "OUT_OF_MEMORY"
    assert event.results == 1
    assert event.evidence is not None
    assert (event.evidence.state, event.evidence.exit_code) == ("OUT_OF_MEMORY", "0:125")
    assert event.evidence.requested_memory_mb == 300
    assert (event.evidence.peak_memory_kb or 0) > 100 << 10
    for words in ("`mem`", "state OUT_OF_MEMORY", "exit code 0:125", "requested memory 300 MB", "peak memory "):
        assert words in str(event.error)


async def test_time_limit(site: Site) -> None:
    (run,) = site.wave("time", units=3, sleep=120, codes={0: "args['sleep'] = 0"}, options={"time": "1"})
    job = await started(site, "time", run, 3)
    await site.until(lambda: 0 in site.outcomes.get(run.batch, {}))
    site.slurm.run("scontrol", "update", f"jobid={job}", "EndTime=now+1")
    event = await fail(site, run, timeout_s=90)
    assert event.cause == "TIMEOUT"
    assert "TIMEOUT" in str(event.error)
    assert "`time`" in str(event.error)
    assert event.evidence is not None
    assert event.evidence.state == "TIMEOUT"
    assert event.results == 1
    assert event.stderr is not None
    assert "TIME LIMIT" in event.stderr


@pytest.mark.parametrize("pending", [False, True])
async def test_cancelled_by_an_administrator(site: Site, pending: bool) -> None:
    options = {"begin": "now+1hour"} if pending else {}
    (run,) = site.wave("scancel", units=2, sleep=60, options=options)
    if pending:
        await site.say(run)
        await site.until(lambda: run.batch in site.handles)
    else:
        await started(site, "scancel", run, 2)
    site.slurm.run("scancel", site.handles[run.batch])
    event = await fail(site, run)
    assert event.cause == "CANCELLED"
    assert "CANCELLED by 0" in str(event.error)


@pytest.mark.parametrize("lines", [[], ["set -eu"]])
async def test_what_a_worker_was_told_of_is_not_waited_for(quiet_site: Site, lines: list[str]) -> None:
    site = quiet_site
    site.start(FRACTAL_AGENT_SLURM_GRACE_S="600")
    (run,) = site.wave("told", units=3, sleep=60, codes={0: "args['sleep'] = 0"}, extra_lines=lines)
    job = await started(site, "told", run, 3)
    site.slurm.run("scancel", job)
    event = await fail(site, run, timeout_s=20)
    assert (event.cause, event.results) == ("CANCELLED", 1)
    assert "CANCELLED by 0" in str(event.error)


async def test_a_node_that_fails(site: Site) -> None:
    node = site.slurm.shape.node_names[0]
    lines = ["#SBATCH --no-requeue"]
    (run,) = site.wave("node", sleep=60, options={"nodelist": node}, extra_lines=lines)
    await started(site, "node", run)
    site.slurm.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    event = await fail(site, run)
    await site.until(site.slurm.nodes_are_ready)
    assert event.cause == "NODE_FAIL"
    assert node in str(event.error)


async def test_a_job_that_slurm_puts_back_into_the_queue_runs_to_its_end(site: Site) -> None:
    (run,) = site.wave("requeue", units=4, processes=2, sleep=1, codes=dict.fromkeys((2, 3), "args['sleep'] = 5"))
    job = await started(site, "requeue", run, 3)
    site.slurm.run("scontrol", "requeue", job)
    await start_again(site, job)
    await site.finish(run)
    event = site.finished[run.batch]
    assert event.cause == "COMPLETED"
    assert {outcome.status for outcome in site.outcomes[run.batch].values()} == {"done"}
    assert site.started("requeue")[:2] == [0, 1], "what had ended is not run again"
    assert sorted(set(site.started("requeue"))) == [0, 1, 2, 3]
    assert event.evidence is not None
    assert event.evidence.restarts == 1


@pytest.mark.parametrize("partition", ["spare", "spare_killed"])
async def test_preemption(site: Site, partition: str) -> None:
    node = site.slurm.shape.node_names[1]
    cpus = str(site.slurm.shape.cpus)
    options = {"partition": partition, "cpus-per-task": cpus, "nodelist": node}
    (run,) = site.wave("preempted", sleep=6, options=options)
    await started(site, "preempted", run)
    wrap = (
        "sbatch",
        "--parsable",
        "-p",
        "main",
        "-w",
        node,
        "-c",
        cpus,
        "-D",
        "/",
        "-o",
        "/dev/null",
        "--wrap",
        "sleep 2",
    )
    other = ("squeue", "-h", "-t", "all", "-j", site.slurm.run(*wrap).strip(), "-o", "%T")
    await site.until(lambda: site.slurm.run(*other).strip() == "COMPLETED")
    if partition == "spare":
        await start_again(site, site.handles[run.batch])
    await site.finish(run)
    event = site.finished[run.batch]
    if partition == "spare":
        assert event.cause == "COMPLETED"
        assert site.started("preempted") == [0, 0]
    else:
        assert event.cause == "PREEMPTED"
        assert "higher priority" in str(event.error)


async def test_lines_that_end_the_job_before_its_processes(site: Site) -> None:
    (run,) = site.wave("init", extra_lines=["echo 'module: not found' >&2", "exit 3"])
    await site.say(run)
    event = await fail(site, run)
    assert event.cause == "FAILED"
    assert "3:0" in str(event.error)
    assert "module: not found" in str(event.error)
    assert site.started("init") == []


async def test_lines_that_end_the_job_as_if_all_was_well(site: Site) -> None:
    (run,) = site.wave("init0", extra_lines=["exit 0"])
    await site.say(run)
    event = await fail(site, run)
    assert event.cause == "NO_RESULT"


async def test_an_interpreter_that_is_not_there(site: Site) -> None:
    (run,) = site.wave("python", python="/nowhere/python")
    await site.say(run)
    event = await fail(site, run)
    assert event.cause == "FAILED"
    assert "/nowhere/python" in str(event.error)


async def test_a_full_temporary_directory(site: Site, tmp_path: Path) -> None:
    scratch = site.root / "scratch"
    scratch.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=1777", "tmpfs", str(scratch)], check=True)
    try:
        with (scratch / "full").open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space left"):
            while True:
                stream.write(bytes(65536))
        code = "open(os.environ['TMPDIR'] + '/file', 'w').write('x' * 100000)"
        (run,) = site.wave("full", units=3, exports={"TMPDIR": str(scratch)}, codes={1: code})
        await site.say(run)
        await site.finish(run)
    finally:
        subprocess.run(["umount", str(scratch)], check=True)
    statuses = {index: outcome.status for index, outcome in site.outcomes[run.batch].items()}
    assert statuses == {0: "done", 1: "failed", 2: "done"}
    assert "No space left on device" in str(site.outcomes[run.batch][1].error)


async def test_a_project_directory_that_the_user_cannot_write(shared_site: Site) -> None:
    site = shared_site
    project = site.project(USER)
    shutil.chown(project, "root", "root")
    project.chmod(0o755)
    (run,) = site.wave("closed", username=USER, working_dir_user=project / "job")
    await site.say(run)
    event = await fail(site, run)
    assert event.cause == "FOLDER_ERROR"
    assert "Permission denied" in str(event.error)


async def test_a_project_directory_that_becomes_unreadable(shared_site: Site) -> None:
    site = shared_site
    project = site.project(USER)
    (run,) = site.wave("unreadable", username=USER, working_dir_user=project / "job", sleep=3)
    await started(site, "unreadable", run)
    shutil.chown(project, "root", "root")
    project.chmod(0o700)
    event = await fail(site, run)
    assert "Permission denied" in str(event.error)


async def test_an_account_that_has_expired(shared_site: Site) -> None:
    site = shared_site
    site.slurm.manage("delete", "user", OTHER, f"account={ACCOUNT}")
    try:
        (run,) = site.wave("account", username=OTHER, working_dir_user=site.project(OTHER) / "job")
        await site.say(run)
        event = await fail(site, run)
    finally:
        site.slurm.manage("add", "user", OTHER, f"Account={ACCOUNT}", f"DefaultAccount={ACCOUNT}")
    assert event.cause == "SUBMIT_FAILED"
    assert "Invalid account" in str(event.error)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"partition": "nowhere"}, "invalid partition"),
        ({"mem": "100000000M"}, "Memory specification can not be satisfied"),
        ({"gres": "unicorn:1"}, "Invalid generic resource"),
    ],
)
async def test_a_request_that_slurm_refuses(site: Site, options: dict[str, str], words: str) -> None:
    (run,) = site.wave("request", options=options)
    await site.say(run)
    event = await fail(site, run)
    assert event.cause == "SUBMIT_FAILED"
    assert words in str(event.error)
    assert next(iter(options.values())) in str(event.error)


async def test_a_worker_that_is_killed_is_started_again(site: Site) -> None:
    (run,) = site.wave("worker", units=8, processes=2, sleep=1)
    await started(site, "worker", run, 3)
    await asyncio.to_thread(subprocess.run, ["kill", "-9", str(site.worker(run)["pid"])], check=True)
    await site.finish(run)
    assert site.finished[run.batch].cause == "COMPLETED"
    assert site.started("worker") == sorted(site.outcomes[run.batch]) == list(range(8))


async def test_stop_reaches_what_runs_and_what_waits(site: Site) -> None:
    wave = site.wave("stop", batches=2, sleep=60)
    held = site.wave("held", batches=2, options={"begin": "now+1hour"})
    await site.say(*wave, *held)
    await site.until(lambda: len(site.started("stop")) == 2 and len(site.handles) == 4)
    await site.cancel(*wave, *held)
    await site.cancel(*wave, *held)
    await site.finish(*wave, *held, timeout_s=15)
    assert {event.cause for event in site.finished.values()} == {"STOPPED"}
    assert {event.error for event in site.finished.values()} == {"Failed due to job-execution shutdown."}
    outcomes = [outcome for run in wave for outcome in site.outcomes[run.batch].values()]
    assert {outcome.cause for outcome in outcomes} == {"stopped"}
