"""Jobs of several Unix users, and of the one user that an agent on a login node runs as."""

import asyncio
from pathlib import Path

from tests.processes import until
from tests.slurm.accounts import USERS
from tests.slurm.lab import Flow, Lab


def owners(folder: Path) -> set[str]:
    return {path.owner() for path in folder.rglob("*")}


async def test_jobs_of_several_users_at_once(shared_lab: Lab) -> None:
    def act() -> None:
        lab = shared_lab
        flows = {name: Flow(lab, images=3, username=name) for name in USERS}
        for flow in flows.values():
            flow.tell(sleep=1)
        submitted = {name: flow.submit() for name, flow in flows.items()}
        jobs = {name: flow.finished(submitted[name]) for name, flow in flows.items()}
        for name in USERS[:2]:
            assert jobs[name]["status"] == "done", jobs[name]["log"]
            folder = Path(jobs[name]["working_dir_user"])
            assert folder.is_relative_to(lab.project_dir(name))
            assert owners(folder) == {name}
            rows = lab.slurm_jobs(flows[name].slurm_name, 2, "User", "State")
            assert rows == [[name, "COMPLETED"]] * 2
            assert flows[name].unit_log(flows[name].units()[2]) == "processing 2\n"
            download = flows[name].api.http.get(f"{flows[name].base}job/{jobs[name]['id']}/download/")
            assert (download.status_code, download.content[:2]) == (200, b"PK")
        refused = jobs[USERS[2]]
        assert refused["status"] == "failed"
        assert f"this agent may not act as Unix user '{USERS[2]}'" in refused["log"]
        assert not lab.project_dir(USERS[2]).exists()

    await asyncio.to_thread(act)


async def test_slurm_ssh_with_an_agent_on_the_login_node(ssh_lab: Lab) -> None:
    lab, user = ssh_lab, USERS[0]

    def act() -> None:
        flow = Flow(lab, images=3, username=user)
        until(lambda: refusal(flow) is None, "the agent serves", 60)
        job = flow.finished(flow.last_job())
        assert job["status"] == "done", job["log"]
        folder = Path(job["working_dir_user"])
        assert folder.is_relative_to(lab.project_dir(user) / "remote")
        assert owners(folder) == {user}
        assert flow.unit_log(flow.units()[0]) == "processing 0\n"
        assert lab.slurm_jobs(flow.slurm_name, 2, "User", "State") == [[user, "COMPLETED"]] * 2
        lab.kill("agent")
        text = f"No agent serves the resource 'cluster': fractal-agent has to run on 'login' as '{user}'."
        until(lambda: refusal(flow) == text, "the API says that there is no agent", 30)
        queue = flow.api.get("/api/v2/job/squeue/", 422)["detail"]
        assert queue == ("Error executing squeue command - please retry later. No agent serves the resource 'cluster'.")

    await asyncio.to_thread(act)


def refusal(flow: Flow) -> str | None:
    """Submit; what the API says if it does not take the job."""
    ids = {"workflow_id": flow.workflow, "dataset_id": flow.dataset}
    answer = flow.api.http.post(f"{flow.base}job/submit/", json={}, params=ids)
    assert answer.status_code in (202, 422), answer.text
    return None if answer.status_code == 202 else answer.json()["detail"]
