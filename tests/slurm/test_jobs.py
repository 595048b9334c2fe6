"""Jobs on a real cluster, through api, engine and agent."""

import asyncio
import io
import zipfile

from fractal_common.database.models import AccountingRecordSlurm
from sqlalchemy import select

from tests.slurm.lab import Flow, Lab


async def accounted(lab: Lab) -> list[list[int]]:
    async with lab.database.session() as session:
        rows = await session.scalars(select(AccountingRecordSlurm).order_by(AccountingRecordSlurm.id))
        return [sorted(row.slurm_job_ids or []) for row in rows]


async def test_a_job_from_its_submission_to_its_end(lab: Lab) -> None:
    def act() -> None:
        flow = Flow(lab, images=5, meta={"time": "4", "extra_lines": ["export A=1"]})
        submitted = flow.submit(worker_init="export B=2\n\nif true; then\n  export C=3\nfi")
        folder = submitted["working_dir_user"]
        assert folder.startswith(f"{lab.project_dir}/fractal/.fractal_cache/")
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

    await asyncio.to_thread(act)
    (ids,) = await accounted(lab)
    assert len(ids) in (1, 2)
