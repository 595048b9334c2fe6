"""Why jobs fail on a real cluster, as a scientist reads it: the job's first lines, the failures, the unit's log."""

import asyncio
from typing import Any

from fractal_common.database.models import User

from tests.processes import until
from tests.slurm.accounts import SERVICE
from tests.slurm.cluster import ACCOUNT
from tests.slurm.lab import Flow, Lab

FIRST_LINES = 8


def failed(flow: Flow, job: dict[str, Any], timeout_s: float = 240) -> tuple[str, list[dict[str, Any]]]:
    """First lines of the log, and the failures by image."""
    job = flow.finished(job, timeout_s)
    assert job["status"] == "failed", job["log"]
    items = flow.of_job(job, "failures/")["items"]
    return "\n".join(job["log"].splitlines()[:FIRST_LINES]), sorted(items, key=lambda item: item["zarr_urls"])


async def test_what_the_scheduler_ends(lab: Lab) -> None:
    async with lab.database.transaction() as session:
        user = await session.get(User, lab.users[SERVICE])
        assert user is not None
        user.slurm_accounts = [ACCOUNT, "expired"]

    def act() -> None:
        late = Flow(lab, images=2, meta={"time": "1"})
        late.tell(code={"1": "time.sleep(600)"})
        large = Flow(lab, images=4, meta={"mem": "60M"})
        large.tell(code={"2": "held = b'x' * (500 << 20); time.sleep(30)"}, sleep=3)
        expired = Flow(lab, images=1)
        left = Flow(lab, images=2)
        jobs = [
            late.submit(),
            large.submit(),
            expired.submit(slurm_account="expired"),
            left.submit(worker_init="echo no licence >&2\nexit 3"),
        ]

        text, (failure,) = failed(large, jobs[1])
        assert "1 of 4 processes failed: out of memory" in text, text
        assert failure["zarr_urls"][0].endswith("/2")
        assert failure["cause"] == "out_of_memory"
        assert [unit["status"] for unit in large.units()] == ["done", "done", "failed", "done"]

        text, (failure,) = failed(expired, jobs[2])
        assert "sbatch: error: " in text, text
        assert "account" in failure["error"]

        text, failures = failed(left, jobs[3])
        assert "2 of 2 processes failed: " in text, text
        assert "SLURM says: state FAILED, exit code 3:0" in text, text
        assert {failure["scheduler"]["exit_code"] for failure in failures} == {"3:0"}
        assert "no licence" in left.unit_log(left.units()[0])
        until(lambda: left.of_job(jobs[3])["executor_error_log"] == "no licence", "what the job wrote is shown")

        text, (failure,) = failed(late, jobs[0])
        assert "1 of 2 processes failed: timed out (SLURM says: state TIMEOUT" in text, text
        assert failure["cause"] == "timeout"
        assert failure["scheduler"]["time_limit_s"] == 60
        log = late.unit_log(late.units()[1])
        assert log.startswith("processing 1\n")
        assert "TIMEOUT" in log

    await asyncio.to_thread(act)


async def test_a_project_directory_that_cannot_be_written(lab: Lab) -> None:
    def act() -> None:
        folder = lab.project_dir(SERVICE)
        folder.write_text("a file where the directory should be")
        flow = Flow(lab, images=1)
        job = flow.finished(flow.submit())
        assert job["status"] == "failed"
        assert "Could not mkdir " in job["log"]
        assert str(folder) in job["log"]
        folder.unlink()
        again = flow.finished(flow.submit())
        assert again["status"] == "done", again["log"]

    await asyncio.to_thread(act)
