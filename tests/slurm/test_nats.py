"""NATS is killed at one moment after the other, at last with all that it kept: no job is lost, none is made twice."""

import asyncio
import shutil
import time

import pytest

from tests.processes import until
from tests.slurm.accounts import SERVICE
from tests.slurm.lab import Flow, Lab


@pytest.mark.parametrize("wiped", [False, True], ids=["kept", "wiped"])
async def test_nats_is_killed_again_and_again(lab: Lab, wiped: bool) -> None:
    def restart_nats(away_s: float) -> None:
        lab.kill("nats")
        store = lab.home.directory("nats") / "jetstream"
        if wiped and store.exists():  # it was killed before anybody had made a stream again
            shutil.rmtree(store)
        time.sleep(away_s)
        lab.start("nats")

    def act() -> None:
        flows = [Flow(lab, 12, meta={"tasks_per_job": 3, "parallel_tasks_per_job": 3}) for _ in range(2)]
        jobs = []
        for flow in flows:
            flow.tell(sleep=6)
            jobs.append(flow.submit())
        restart_nats(1)
        until(lambda: any(lab.project_dir(SERVICE).rglob("*-slurm-submit.sh")), "an sbatch begins", 60)
        restart_nats(0.5)
        until(lambda: len(lab.keys()) >= 6, "processes run", 120)
        restart_nats(2)
        until(lambda: any(flow.units()[0]["status"] == "done" for flow in flows), "the first one is done", 120)
        restart_nats(1)
        ended = [flow.finished(job, 180) for flow, job in zip(flows, jobs, strict=True)]
        assert [job["status"] for job in ended] == ["done", "done"], [job["log"] for job in ended]
        assert lab.keys() == sorted([str(number) for number in range(12)] * 2)
        for flow in flows:
            assert len(lab.slurm_jobs(flow.slurm_name, 4, "State")) == 4

    await asyncio.to_thread(act)
