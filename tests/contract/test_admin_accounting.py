"""api §25.7: what was run for whom."""

from datetime import UTC, datetime
from typing import Any

from psycopg import sql

from tests.api import Api
from tests.conftest import PostgresServer

from .server import Person, Server


def query(admin: Api, body: dict[str, Any], **pages: int) -> dict[str, Any]:
    return admin.post("/admin/v2/accounting/", body, 200, **pages)


def test_a_record_for_every_task_of_a_job(server: Server, admin: Api, user: Person) -> None:
    task = user.api.puppet_task(server.folder, f"counted {user.email}")
    ids = user.api.prepared(server.folder, task, images=3)
    user.api.finished(ids[0], user.api.submit(*ids))
    between = datetime.now(UTC).isoformat()
    user.api.finished(ids[0], user.api.submit(*ids))

    page = query(admin, {"user_id": user.id})
    assert (page["current_page"], page["page_size"], page["total_count"]) == (1, 2, 2)
    first, second = page["items"]
    assert list(first) == ["id", "user_id", "timestamp", "num_tasks", "num_new_images"]
    assert first["id"] < second["id"]
    assert (first["user_id"], first["num_tasks"], first["num_new_images"]) == (user.id, 3, 0)
    assert first["timestamp"].endswith("+00:00")
    assert query(admin, {"user_id": user.id, "timestamp_max": between})["items"] == [first]
    assert query(admin, {"user_id": user.id, "timestamp_min": between})["items"] == [second]
    exact = {"timestamp_min": first["timestamp"], "timestamp_max": first["timestamp"]}
    assert query(admin, {"user_id": user.id, **exact})["items"] == [first]
    assert query(admin, {"user_id": user.id, "fractal_job_id": 98765, "unknown": 1})["items"] == [first, second]
    assert query(admin, {"user_id": user.id}, page=2, page_size=1)["items"] == [second]
    assert query(admin, {"user_id": 2**40})["items"] == []
    assert query(admin, {})["total_count"] >= 2


def test_queries_that_are_refused(anonymous: Api, admin: Api) -> None:
    for path in ("/admin/v2/accounting/", "/admin/v2/accounting/slurm/"):
        (error,) = admin.call("POST", path, 422)["detail"]
        assert (error["type"], error["loc"]) == ("missing", ["body"])
        (error,) = admin.post(path, {"timestamp_min": "2026-01-01T00:00:00"}, 422)["detail"]
        assert (error["type"], error["loc"]) == ("timezone_aware", ["body", "timestamp_min"])
    detail = anonymous.post("/admin/v2/accounting/", {}, 422, page=0)["detail"]
    assert detail.startswith("Invalid pagination parameters.")


def test_ids_of_slurm_jobs_in_one_list(
    postgres_server: PostgresServer, server: Server, admin: Api, user: Person, other: Person
) -> None:
    """The records are those that batches in SLURM leave; this server has none, so the test writes them."""
    ids = user.api.prepared(server.folder, user.api.puppet_task(server.folder, f"slurm {user.email}"), images=1)
    job = user.api.submit(*ids)
    user.api.finished(ids[0], job)
    resource = admin.get("/admin/v2/resource/")[0]["id"]
    insert = sql.SQL(
        "INSERT INTO jobs.accountingrecordslurm (user_id, timestamp, slurm_job_ids, fractal_job_id, resource_id) "
        "VALUES (%s, %s, %s, %s, %s)"
    )
    with postgres_server.connect("contract") as connection:
        for row in (
            (user.id, "2026-01-01T00:00:00+00:00", [11, 12], job, resource),
            (user.id, "2026-01-02T00:00:00+00:00", [13], None, None),
            (other.id, "2026-01-03T00:00:00+00:00", [21], None, resource),
            (other.id, "2026-01-04T00:00:00+00:00", [], None, resource),
            (other.id, "2026-01-05T00:00:00+00:00", None, None, resource),
        ):
            connection.execute(insert, row)

    def slurm(**body: Any) -> list[int]:
        return admin.post("/admin/v2/accounting/slurm/", body, 200)

    assert slurm(user_id=user.id) == [11, 12, 13]
    assert slurm(user_id=other.id) == [21]
    assert slurm(fractal_job_id=job) == [11, 12]
    assert slurm(resource_id=resource, timestamp_max="2026-01-04T00:00:00Z") == [11, 12, 21]
    assert slurm(timestamp_min="2026-01-02T00:00:00Z", timestamp_max="2026-01-03T00:00:00Z") == [13, 21]
    assert slurm(user_id=98765) == []
    assert slurm(user_id=2**40, fractal_job_id=2**40, resource_id=2**40) == []
