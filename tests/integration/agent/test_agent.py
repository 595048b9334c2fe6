"""A real agent process between a real NATS and real workers; the test speaks as the engine."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import uuid
import zipfile
from collections.abc import AsyncGenerator, Callable
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fractal_common.bus import COMMANDS, EVENTS, Bus, BusError, Consumer
from fractal_common.messages import (
    ArchiveReady,
    BatchCancel,
    BatchFinished,
    BatchRun,
    Event,
    FileChunk,
    FileRead,
    FolderArchive,
    JobArchive,
    UnitsFinished,
    UnitSpec,
    command_subject,
    rpc_subject,
)
from fractal_common.settings import NatsSettings
from pydantic import TypeAdapter

from tests.processes import children_of

SCRIPT = """\
import json, sys, time
args = json.load(open(sys.argv[sys.argv.index("--args-json") + 1]))
open(args["marks"], "a").write("%d\\n" % args["n"])
print("unit", args["n"], flush=True)
time.sleep(args["sleep"])
json.dump({"image_list_updates": []}, open(sys.argv[sys.argv.index("--out-json") + 1], "w"))
"""

_resources = count(1000)
_events: TypeAdapter[Event] = TypeAdapter(Event)


class Cluster:
    """An agent with its directories, and the bus as an engine sees it."""

    def __init__(self, root: Path, bus: Bus, settings: NatsSettings, resource_id: int) -> None:
        self.root = root
        self.bus = bus
        self.resource_id = resource_id
        self.jobs = root / "jobs"
        self.marks = root / "marks"
        (root / "tasks").mkdir()
        self.jobs.mkdir()
        (root / "task.py").write_text(SCRIPT)
        password = settings.FRACTAL_NATS_PASSWORD
        assert password is not None
        self.environment = {
            **os.environ,
            "FRACTAL_NATS_URL": settings.FRACTAL_NATS_URL,
            "FRACTAL_NATS_USER": "agent",
            "FRACTAL_NATS_PASSWORD": password.get_secret_value(),
            "FRACTAL_AGENT_RESOURCE_ID": str(resource_id),
            "FRACTAL_RUNNER_WORKING_BASE_DIR": str(self.jobs),
            "FRACTAL_TASKS_DIR": str(root / "tasks"),
        }
        self.agent: subprocess.Popen[bytes] | None = None
        self.outcomes: dict[str, dict[int, Any]] = {}
        self.finished: dict[str, BatchFinished] = {}
        self.consumer: Consumer = bus.consumer(EVENTS, f"test-{resource_id}")

    def start(self) -> None:
        self.agent = subprocess.Popen([sys.executable, "-m", "fractal_agent"], env=self.environment, cwd=self.root)

    def kill(self) -> None:
        assert self.agent is not None
        self.agent.kill()
        self.agent.wait()

    def batch(self, job: str, units: int, *, sleep: float = 0.0, working_dir: Path | None = None) -> BatchRun:
        working_dir = working_dir or self.jobs / "2026-11" / job
        return BatchRun(
            batch=f"{job}-par",
            job_id=1,
            working_dir=str(working_dir),
            new_working_dir=True,
            working_dir_user=str(working_dir),
            folder=str(working_dir / "0_task"),
            command=[sys.executable, "-I", "-S", str(self.root / "task.py")],
            environment={"FRACTAL_CACHE_DIR": "/nowhere"},
            processes=4,
            common={"marks": str(self.marks), "sleep": sleep},
            units=[UnitSpec(index=n, name=f"par-000000-{n:07d}", before={"n": n}, after={}) for n in range(units)],
            workflow_log="first line\n",
            username=None,
        )

    async def say(self, command: BatchRun | BatchCancel | JobArchive, verb: str = "batch.run") -> None:
        await self.bus.publish(command_subject(self.resource_id, verb), command, message_id=uuid.uuid4().hex)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Take in events until the condition holds."""
        async with asyncio.timeout(30):
            while not condition():
                for delivery in await self.consumer.fetch(50, 0.2):
                    event = _events.validate_json(delivery.data)
                    if isinstance(event, UnitsFinished):
                        known = self.outcomes.setdefault(event.batch, {})
                        known.update({outcome.index: outcome for outcome in event.outcomes})
                    elif isinstance(event, BatchFinished):
                        self.finished[event.batch] = event
                    await delivery.ack()

    def started(self) -> list[int]:
        return sorted(int(line) for line in self.marks.read_text().split()) if self.marks.exists() else []


@pytest.fixture
async def cluster(tmp_path: Path, nats_server: tuple[NatsSettings, NatsSettings]) -> AsyncGenerator[Cluster]:
    bus = await Bus.connect(nats_server[0], name="test-engine")
    resource_id = next(_resources)
    await bus.ensure_streams()
    await bus.ensure_consumer(COMMANDS, f"agent-{resource_id}", f"fractal.cmd.{resource_id}.>")
    await bus.ensure_consumer(EVENTS, f"test-{resource_id}", f"fractal.evt.{resource_id}.>")
    cluster = Cluster(tmp_path, bus, nats_server[1], resource_id)
    cluster.start()
    yield cluster
    cluster.kill()
    await bus.close()


async def test_a_batch_runs_and_everything_is_reported(cluster: Cluster) -> None:
    await cluster.say(cluster.batch("a", 5))
    await cluster.until(lambda: "a-par" in cluster.finished)
    assert sorted(cluster.outcomes["a-par"]) == list(range(5))
    assert (cluster.finished["a-par"].cause, cluster.finished["a-par"].results) == ("COMPLETED", 5)
    folder = cluster.jobs / "2026-11" / "a"
    assert (folder / "workflow.log").read_text() == "first line\n"
    assert (folder / "0_task" / "par-000000-0000004-log.txt").read_text() == "unit 4\n"
    await cluster.until(lambda: not list((cluster.jobs / ".fractal-agent" / "batches").iterdir()))


async def test_asking_again_starts_nothing_twice_and_tells_everything_again(cluster: Cluster) -> None:
    command = cluster.batch("twice", 6, sleep=0.2)
    await cluster.say(command)
    await cluster.until(lambda: len(cluster.outcomes.get("twice-par", {})) >= 2)
    await cluster.say(command)
    await cluster.until(lambda: "twice-par" in cluster.finished)
    cluster.outcomes.clear()
    cluster.finished.clear()
    await cluster.say(command)
    await cluster.until(lambda: "twice-par" in cluster.finished)
    assert sorted(cluster.outcomes["twice-par"]) == cluster.started() == list(range(6))


async def test_units_go_on_while_the_agent_is_dead(cluster: Cluster) -> None:
    await cluster.say(cluster.batch("dead", 16, sleep=0.1))
    await cluster.until(lambda: len(cluster.outcomes.get("dead-par", {})) >= 4)
    cluster.kill()
    cluster.start()
    await cluster.until(lambda: "dead-par" in cluster.finished)
    assert sorted(cluster.outcomes["dead-par"]) == cluster.started() == list(range(16))


async def test_a_killed_worker_is_started_again(cluster: Cluster) -> None:
    await cluster.say(cluster.batch("worker", 16, sleep=0.1))
    await cluster.until(lambda: len(cluster.outcomes.get("worker-par", {})) >= 4)
    directory = cluster.jobs / "2026-11" / "worker" / ".fractal" / "worker-par"
    pid = json.loads((directory / "worker.json").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    await cluster.until(lambda: "worker-par" in cluster.finished)
    assert cluster.finished["worker-par"].cause == "COMPLETED"
    assert sorted(cluster.outcomes["worker-par"]) == cluster.started() == list(range(16))


async def test_a_worker_that_died_while_it_waited_for_a_batch_is_replaced(cluster: Cluster) -> None:
    await cluster.say(cluster.batch("before", 1))
    await cluster.until(lambda: "before-par" in cluster.finished)
    assert cluster.agent is not None
    async with asyncio.timeout(20):
        while not (spare := children_of(cluster.agent.pid)):
            await asyncio.sleep(0.02)
    for pid in spare:
        os.kill(pid, signal.SIGKILL)
    await cluster.say(cluster.batch("after", 2))
    await cluster.until(lambda: "after-par" in cluster.finished)
    assert cluster.finished["after-par"].cause == "COMPLETED"
    assert sorted(cluster.outcomes["after-par"]) == [0, 1]


async def test_no_worker_outlives_an_agent_without_having_a_batch(cluster: Cluster) -> None:
    await cluster.say(cluster.batch("last", 1))
    await cluster.until(lambda: "last-par" in cluster.finished)
    assert cluster.agent is not None
    async with asyncio.timeout(20):
        while not (spare := children_of(cluster.agent.pid)):
            await asyncio.sleep(0.02)
    cluster.kill()
    async with asyncio.timeout(20):
        while any(Path(f"/proc/{pid}").exists() for pid in spare):
            await asyncio.sleep(0.02)


async def test_cancel_ends_the_batch(cluster: Cluster) -> None:
    command = cluster.batch("cancel", 8, sleep=60)
    await cluster.say(command)
    async with asyncio.timeout(20):
        while len(cluster.started()) < 4:
            await asyncio.sleep(0.02)
    cancel = BatchCancel(batch=command.batch, job_id=1, working_dir=command.working_dir)
    await cluster.say(cancel, "batch.cancel")
    await cluster.say(cancel, "batch.cancel")
    await cluster.until(lambda: command.batch in cluster.finished)
    assert cluster.finished[command.batch].cause == "STOPPED"
    assert {outcome.cause for outcome in cluster.outcomes[command.batch].values()} == {"stopped"}
    assert cluster.started() == [0, 1, 2, 3]


async def test_a_foreign_folder_is_not_touched(cluster: Cluster) -> None:
    folder = cluster.jobs / "2026-11" / "foreign"
    folder.mkdir(parents=True)
    await cluster.say(cluster.batch("foreign", 1))
    await cluster.until(lambda: "foreign-par" in cluster.finished)
    event = cluster.finished["foreign-par"]
    assert event.cause == "FOLDER_ERROR"
    assert event.error is not None
    assert event.error.startswith("FileExistsError error while creating local job folder. Original error: ")
    assert list(folder.iterdir()) == []


async def test_the_archive_is_complete(cluster: Cluster) -> None:
    command = cluster.batch("zip", 3)
    await cluster.say(command)
    await cluster.until(lambda: "zip-par" in cluster.finished)
    running = await cluster.bus.request(
        rpc_subject(cluster.resource_id, "files.archive"), FolderArchive(working_dir=command.working_dir), ArchiveReady
    )
    await cluster.say(
        JobArchive(job_id=1, working_dir=command.working_dir, workflow_log="all lines\n"), "batch.archive"
    )
    final = Path(command.working_dir + ".zip")
    async with asyncio.timeout(20):
        while not final.exists():
            await asyncio.sleep(0.02)
    names = {
        f"0_task/par-000000-{n:07d}-{kind}" for n in range(3) for kind in ("args.json", "log.txt", "metadiff.json")
    }
    with zipfile.ZipFile(final) as archive:
        assert set(archive.namelist()) == {"workflow.log"} | names
        assert archive.read("workflow.log") == b"all lines\n"
    chunk = await cluster.bus.request(
        rpc_subject(cluster.resource_id, "files.read"), FileRead(path=running.path, length=200_000), FileChunk
    )
    with zipfile.ZipFile(BytesIO(base64.b64decode(chunk.data_base64))) as archive:
        assert names <= set(archive.namelist())


@pytest.mark.parametrize("path", ["/etc/passwd", "{jobs}/../secret", "{jobs}/link", "jobs/x", "{jobs}_other/x"])
async def test_files_outside_the_resource_are_refused(cluster: Cluster, path: str) -> None:
    (cluster.root / "secret").write_text("secret")
    (cluster.jobs / "link").symlink_to(cluster.root / "secret")
    request = FileRead(path=path.format(jobs=cluster.jobs))
    async with asyncio.timeout(20):
        while True:
            try:
                await cluster.bus.request(rpc_subject(cluster.resource_id, "files.read"), request, FileChunk)
            except BusError as error:
                if "PermissionError" in str(error):
                    return
                assert "no agent answers" in str(error), error
            else:
                pytest.fail("the file was read")


async def test_a_batch_outside_the_resource_is_refused(cluster: Cluster) -> None:
    await cluster.say(cluster.batch("outside", 1, working_dir=cluster.root / "elsewhere"))
    await cluster.say(cluster.batch("inside", 1))
    await cluster.until(lambda: "inside-par" in cluster.finished)
    assert not (cluster.root / "elsewhere").exists()
    assert "outside-par" not in cluster.finished
