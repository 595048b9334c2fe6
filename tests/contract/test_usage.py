"""`…/usage/`, and `/job/squeue/` without SLURM."""

from .server import Person, Server


def test_what_a_local_job_took(server: Server, user: Person, other: Person) -> None:
    task = user.api.puppet_task(server.folder, f"puppet {server.new_email()}")
    ids = project, dataset, workflow = user.api.prepared(server.folder, task, images=3)
    job = user.api.submit(project, dataset, workflow)
    assert user.api.finished(project, job)["status"] == "done"
    path = f"/api/v2/project/{ids[0]}/job/{job}/usage/"
    usage = user.api.get(path)
    assert (usage["job_id"], usage["slurm_jobs"], usage["slurm_jobs_measured"], usage["processes"]) == (job, 0, 0, 3)
    assert (usage["cpu_s"], usage["elapsed_s"], usage["peak_memory_kb"], usage["requested_memory_mb"]) == (None,) * 4
    assert usage["processes_wall_s"] > 0
    assert usage["processes_max_rss_kb"] > 1000
    (of_task,) = usage["tasks"]
    assert of_task["task_name"].startswith("puppet ")
    assert of_task["processes_wall_s"] == usage["processes_wall_s"]

    missing = user.api.http.get(f"/api/v2/project/{project}/job/98765/usage/")
    assert missing.headers["content-type"] == "application/problem+json"
    assert missing.json() == {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "Job not found"}
    refused = other.api.http.get(path)
    assert (refused.status_code, refused.json()["status"], refused.json()["title"]) == (403, 403, "Forbidden")
    invalid = user.api.http.get(f"/api/v2/project/{project}/job/first/usage/")
    assert (invalid.status_code, invalid.headers["content-type"]) == (422, "application/problem+json")
    assert invalid.json()["detail"][0]["loc"] == ["path", "job_id"]


def test_there_is_no_queue_without_slurm(user: Person) -> None:
    detail = "This endpoint is not available for FRACTAL_RUNNER_BACKEND=local."
    for scope in ("all", "user", "accounts"):
        assert user.api.get("/api/v2/job/squeue/", 422, scope=scope) == {"detail": detail}
    user.api.get("/api/v2/job/squeue/", 422, scope="mine")
