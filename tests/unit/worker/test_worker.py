"""The worker as a real process with real tasks, killed where it hurts."""

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import fractal_agent.worker.batch
import pytest
from fractal_agent import packing
from fractal_agent.batchdir import BatchDirectory
from fractal_common.messages import UnitOutcome

from tests.processes import children_of

WORKER = Path(fractal_agent.worker.__file__).with_name("__main__.py")

TASK = """\
import json, os, signal, sys, time
args = json.load(open(sys.argv[sys.argv.index("--args-json") + 1]))
out = sys.argv[sys.argv.index("--out-json") + 1]
assert not os.path.exists(out)
with open(args["marks"], "a") as stream:
    stream.write("%d\\n" % args["n"])
print(args.get("say", ""), flush=True)
block = b"x" * args.get("allocate", 0)
time.sleep(args.get("sleep", 0))
if "signal" in args:
    os.kill(os.getpid(), args["signal"])
if "raw" in args:
    open(out, "w").write(args["raw"])
if "bytes" in args:
    sys.stdout.buffer.write(bytes(args["bytes"]))
sys.exit(args.get("exit", 0))
"""


class Bench:
    """A batch of units of the task above."""

    def __init__(self, root: Path, units: list[dict[str, Any]], processes: int = 2, command: str | None = None) -> None:
        task = root / "task.py"
        task.write_text(TASK)
        self.marks = root / "marks"
        self.folder = root / "0_task"
        self.directory = BatchDirectory(root / ".fractal" / "batch")
        self.directory.create(
            {
                "version": 1,
                "batch": "batch",
                "command": [command] if command else [sys.executable, "-I", "-S", str(task)],
                "folder": str(self.folder),
                "cwd": None,
                "env": {"FRACTAL_CACHE_DIR": "/cache"},
                "processes": processes,
                "common": {"marks": str(self.marks)},
                "units": [
                    {"index": n, "name": f"par-000000-{n:07d}", "before": {"n": n, **unit}, "after": {}}
                    for n, unit in enumerate(units)
                ],
            }
        )

    def start(self, *before: str) -> "subprocess.Popen[bytes]":
        """The worker, behind a command that executes it."""
        return subprocess.Popen([*before, sys.executable, "-I", "-S", str(WORKER), str(self.directory.path)])

    def run(self) -> list[UnitOutcome]:
        assert self.start().wait(timeout=60) == 0
        return self.results()

    def results(self) -> list[UnitOutcome]:
        return sorted(self.directory.read_results(0)[0], key=lambda outcome: outcome.index)

    def started(self) -> list[int]:
        return sorted(int(line) for line in self.marks.read_text().split()) if self.marks.exists() else []


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.005)


def living_members(group: int) -> list[int]:
    """Processes of a process group that are not mere zombies."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, member_of = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if int(member_of) == group and state not in "ZX":
                found.append(int(entry.name))
    return found


def test_outcomes_of_processes(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path,
        [
            {"raw": '{"image_list_updates": []}', "say": "a Warning"},
            {},
            {"raw": "null"},
            {"exit": 7, "say": "broken"},
            {"signal": 9},
            {"raw": "{nope"},
            {"raw": '{"x": NaN}'},
            {"exit": 1, "bytes": [0, 255, 65]},
            {"exit": 137},
        ],
    )
    results = bench.run()
    assert [result.status for result in results] == ["done"] * 3 + ["failed"] * 6
    assert [result.cause for result in results[3:]] == [
        "exit_code",
        "signal",
        "invalid_output",
        "invalid_output",
        "exit_code",
        "exit_code",
    ]
    assert results[0].output == {"image_list_updates": []}
    assert [result.has_warnings for result in results[:2]] == [True, False]
    assert results[3].error == "Task failed with returncode=7.\nSTDERR: broken\n"
    assert (results[4].exit_code, results[4].signal) == (-9, 9)
    assert (results[8].exit_code, results[8].signal) == (137, None)
    assert results[5].error == "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    assert results[7].error is not None
    assert results[7].error.endswith("\ufffd\ufffdA")
    assert all((result.max_rss_kb or 0) > 0 for result in results)
    assert bench.directory.end() is not None
    assert sorted(file.name for file in bench.folder.iterdir()) == [f"par-000000-{n:07d}-log.txt" for n in range(9)]
    assert not (bench.directory.path / "units").exists()


def test_a_long_log_is_not_repeated_in_the_error(tmp_path: Path) -> None:
    (result,) = Bench(tmp_path, [{"exit": 1, "say": "x" * 200_000}]).run()
    assert result.error == (
        "Task failed with returncode=1.\nSTDERR: Cannot display stderr of length 200001. "
        "You can find the detailed logs by downloading the job-log folder."
    )


@pytest.mark.parametrize("executable", [False, True])
def test_a_command_that_cannot_be_run(tmp_path: Path, executable: bool) -> None:
    script = tmp_path / "script"
    script.write_bytes(b"\x7fnot a program")
    script.chmod(stat.S_IRUSR | (stat.S_IXUSR if executable else 0))
    (result,) = Bench(tmp_path, [{}], command=str(script) if executable else str(tmp_path / "missing")).run()
    assert result.cause == "invalid_command"
    assert result.error is not None
    assert executable or result.error.endswith('missing" is not valid. Hint: make sure that it is executable.')


@pytest.mark.parametrize("kills", [1, 4])
def test_a_killed_worker_that_starts_again_runs_every_unit_exactly_once(tmp_path: Path, kills: int) -> None:
    bench = Bench(tmp_path, [{"sleep": 0.1, "raw": json.dumps({"n": n})} for n in range(24)], processes=3)
    for number in range(kills):
        worker = bench.start()
        wait_until(lambda number=number: len(bench.started()) >= 3 * (number + 1))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        assert not bench.directory.is_worker_alive()
    results = bench.run()
    assert bench.started() == list(range(24)), "exactly once"
    assert [result.output for result in results] == [{"n": n} for n in range(24)]


def test_a_task_outlives_its_worker_and_its_exit_status_is_not_lost(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [{"sleep": 0.5, "exit": 3}])
    worker = bench.start()
    wait_until(bench.started)
    worker.kill()
    worker.wait()
    (result,) = bench.run()
    assert (result.exit_code, bench.started()) == (3, [0])


def test_a_worker_that_dies_before_it_hears_of_an_end_leaves_no_noise(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [{"sleep": 0.3}])
    with (tmp_path / "errors").open("wb") as errors:
        worker = subprocess.Popen(
            [sys.executable, "-I", "-S", str(WORKER), str(bench.directory.path)], stderr=errors, stdout=errors
        )
        wait_until(bench.started)
        (keeper,) = children_of(worker.pid)
        worker.send_signal(signal.SIGSTOP)
        unit = bench.directory.path / "units" / "0.unit"
        wait_until(lambda: len(unit.read_text().splitlines()) == 2)
        time.sleep(0.1)
        worker.kill()
        worker.wait()
        wait_until(lambda: not living_members(keeper))
    assert (tmp_path / "errors").read_text() == ""
    (result,) = bench.run()
    assert (result.status, bench.started()) == ("done", [0])


def test_a_unit_whose_keeper_was_killed_too_is_lost_and_not_run_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [{"sleep": 30}, {}], processes=1)
    worker = bench.start()
    wait_until(bench.started)
    keeper = json.loads((bench.directory.path / "units" / "0.unit").read_text().splitlines()[0])["pid"]
    worker.kill()
    worker.wait()
    os.kill(keeper, signal.SIGKILL)
    results = bench.run()
    assert [result.cause for result in results] == ["lost", None]
    assert bench.started() == [0, 1]
    assert not living_members(keeper), "what the keeper started must not go on"


def test_a_unit_that_only_its_lock_was_taken_of_is_run(tmp_path: Path) -> None:
    """As a keeper does that was forked at the moment in which its worker was killed."""
    bench = Bench(tmp_path, [{}, {}], processes=1)
    (bench.directory.path / "units").mkdir()
    keeper = os.open(bench.directory.path / "units" / "0.unit", os.O_RDWR | os.O_CREAT)
    fcntl.flock(keeper, fcntl.LOCK_EX)
    worker = bench.start()
    time.sleep(0.5)
    assert bench.started() == []
    os.close(keeper)
    assert worker.wait(timeout=20) == 0
    assert [result.status for result in bench.results()] == ["done", "done"]
    assert bench.started() == [0, 1]


def test_a_unit_whose_keeper_was_killed_before_it_began_is_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [{}])
    log = bench.folder / "par-000000-0000000-log.txt"
    bench.folder.mkdir()
    os.mkfifo(log)  # opening it waits for a reader: the keeper does not come so far
    worker = bench.start()
    wait_until((bench.directory.path / "units" / "0.args.json").exists)
    (keeper,) = children_of(worker.pid)
    log.unlink()
    os.kill(keeper, signal.SIGKILL)
    assert worker.wait(timeout=20) == 0
    assert [result.status for result in bench.results()] == ["done"]
    assert bench.started() == [0]


def test_a_unit_that_no_keeper_can_begin_fails(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [{}, {}])
    (bench.folder / "par-000000-0000000-log.txt").mkdir(parents=True)
    results = bench.run()
    assert [result.status for result in results] == ["failed", "done"]
    assert results[0].error == "The process could not be started: 3 keepers died before."
    assert bench.started() == [1]


def test_a_worker_in_an_allocation_waits_for_one_that_is_about_to_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [{}])
    (tmp_path / "worker.pyz").write_bytes(packing.pack("worker"))
    (tmp_path / "submission.json").write_text(json.dumps({"batches": {"": str(bench.directory.path)}}))
    held = os.open(bench.directory.path / "worker.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)
    command = [sys.executable, "-I", "-S", str(tmp_path / "worker.pyz"), str(tmp_path / "submission.json")]
    worker = subprocess.Popen(command)
    time.sleep(0.5)
    assert worker.poll() is None
    os.close(held)
    assert worker.wait(timeout=20) == 0
    assert [result.status for result in bench.results()] == ["done"]


def test_a_torn_line_is_cut_off_and_its_unit_recorded_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [{}, {}])
    bench.run()
    file = bench.directory.path / "results.jsonl"
    first = file.read_bytes().splitlines(keepends=True)[0]
    file.write_bytes(first + b'{"index": 1, "sta')
    outcomes, offset = bench.directory.read_results(0)
    assert (len(outcomes), offset) == (1, len(first))
    assert len(bench.run()) == 2


def test_a_second_worker_leaves_the_first_alone(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [{"sleep": 0.5}])
    first = bench.start()
    wait_until(bench.directory.is_worker_alive)
    assert bench.start().wait(timeout=20) == fractal_agent.worker.batch.EXIT_BUSY
    assert first.wait(timeout=20) == 0
    assert bench.started() == [0]


def test_stop_keeps_what_is_finished_and_ends_the_rest(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [{}, {"sleep": 60}, {"sleep": 60}], processes=1)
    worker = bench.start()
    wait_until(lambda: len(bench.started()) == 2)
    bench.directory.request_stop()
    assert worker.wait(timeout=20) == 0
    results = bench.results()
    assert [result.status for result in results] == ["done", "failed", "failed"]
    assert {(result.cause, result.error) for result in results[1:]} == {
        ("stopped", "Failed due to job-execution shutdown.")
    }
    assert bench.started() == [0, 1]
    end = bench.directory.end()
    assert end is not None
    assert end["status"] == "stopped"


@pytest.fixture
def memory_group() -> Generator[tuple[Path, Path]]:
    """A control group of either version, and its file with the limit."""
    name = f"fractal-test-{os.getpid()}"
    for parent, limit in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max"),
    ):
        group = parent / name
        try:
            group.mkdir()
        except OSError:
            continue
        if (group / limit).exists():
            yield group, group / limit
            group.rmdir()
            return
        group.rmdir()
    pytest.skip("needs the right to make a control group that limits memory")


def test_a_unit_that_takes_too_much_memory_fails_alone(tmp_path: Path, memory_group: tuple[Path, Path]) -> None:
    group, limit = memory_group
    limit.write_text(str(96 * 1024**2))
    bench = Bench(tmp_path, [{"sleep": 2}, {"allocate": 400 * 1024**2}, {}, {"signal": 9}], processes=2)
    join = ("sh", "-c", 'echo $$ > "$0"; exec "$@"', str(group / "cgroup.procs"))
    worker = bench.start(*join)
    assert worker.wait(timeout=60) == 0
    results = bench.results()
    assert [result.status for result in results] == ["done", "failed", "done", "failed"]
    assert (results[1].cause, results[1].signal) == ("out_of_memory", 9)
    assert bench.started() == [0, 1, 2, 3]
