"""Identity §10: impersonation, and the list of users with what they did."""

import csv
import io
from datetime import datetime
from typing import Any

from psycopg import sql

from tests.api import Api
from tests.conftest import PostgresServer

from .server import Server
from .test_login import claims

HEADER = "id,email,slurm_username,slurm_accounts,project_dirs,user_groups,num_jobs\r\n"


def test_a_superuser_gets_a_token_of_somebody_else(server: Server) -> None:
    somebody = server.person()
    answer = server.admin.get(f"/admin/v2/impersonate/{somebody.id}/")
    assert list(answer) == ["access_token", "token_type"]
    assert answer["token_type"] == "bearer"
    _, content = claims(answer["access_token"])
    assert (content["sub"], content["aud"]) == (str(somebody.id), ["fastapi-users:auth"])
    lifetime_s = content["exp"] - datetime.now().timestamp()
    assert 7190 < lifetime_s <= 7200
    api = Api(server.url, answer["access_token"])
    assert api.get("/auth/current-user/")["id"] == somebody.id
    # Logging out, as fractal-web does before it shows itself as somebody else, changes nothing.
    api.post("/auth/token/logout/", status=204)
    server.admin.patch(f"/auth/users/{somebody.id}/", {"is_active": False})
    inactive = server.admin.get(f"/admin/v2/impersonate/{somebody.id}/")["access_token"]
    for token in (answer["access_token"], inactive):
        refused = Api(server.url, token)
        refused.get("/auth/current-user/", 401)
        refused.close()
    api.close()
    for number in (98765, -1, 2**40):
        assert server.admin.get(f"/admin/v2/impersonate/{number}/", 404) == {"detail": f"User {number} not found."}
    server.admin.get("/admin/v2/impersonate/x/", 422)


def rows(api: Api, **query: Any) -> dict[str, dict[str, str]]:
    answer = api.http.get("/admin/v2/users-csv/", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.text.startswith(HEADER)
    return {row["email"]: row for row in csv.DictReader(io.StringIO(answer.text, newline=""))}


def test_users_are_listed_with_their_jobs(server: Server, postgres_server: PostgresServer) -> None:
    busy, idle, other = server.person(), server.person(), server.person()
    bare = server.register()
    server.admin.patch(
        f"/auth/users/{busy.id}/", {"slurm_accounts": ["a", "b"], "project_dirs": ["/p/1", '/with "quotes", and comma']}
    )
    group = server.admin.post("/auth/group/", {"name": f"group of {busy.email}"})
    server.admin.post(f"/auth/group/{group['id']}/add-user/{busy.id}/", status=200)
    task = busy.api.puppet_task(server.folder, name=f"Puppet of {busy.email}")
    project, dataset, workflow = busy.api.prepared(server.folder, task, images=0)
    started: list[datetime] = []
    for _ in range(2):
        job = busy.api.submit(project, dataset, workflow)
        started.append(datetime.fromisoformat(busy.api.finished(project, job)["start_timestamp"]))

    answer = server.admin.http.get("/admin/v2/users-csv/")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.text.endswith("\r\n")

    everybody = rows(server.admin)
    assert bare["email"] not in everybody
    row = everybody[busy.email]
    assert sorted(row.pop("user_groups").split("|")) == sorted(["All", group["name"]])
    assert row == {
        "id": str(busy.id),
        "email": busy.email,
        "slurm_username": "",
        "slurm_accounts": "a|b",
        "project_dirs": '/p/1|/with "quotes", and comma',
        "num_jobs": "2",
    }
    assert everybody[idle.email]["num_jobs"] == "0"
    with postgres_server.connect(server.environment["POSTGRES_DB"]) as connection:
        query = sql.SQL("SELECT email FROM auth.user_oauth WHERE profile_id IS NOT NULL ORDER BY email")
        assert list(everybody) == [email for (email,) in connection.execute(query)]

    active = rows(server.admin, exclude_zero_jobs="yes")
    assert busy.email in active
    assert {idle.email, other.email}.isdisjoint(active)
    first, second = started
    assert rows(server.admin, start_timestamp_max=first.isoformat())[busy.email]["num_jobs"] == "1"
    assert rows(server.admin, start_timestamp_min=second.isoformat())[busy.email]["num_jobs"] == "1"
    window = {"start_timestamp_min": first.isoformat(), "start_timestamp_max": second.isoformat()}
    assert rows(server.admin, **window)[busy.email]["num_jobs"] == "2"
    nothing = {"start_timestamp_min": "2000-01-01T00:00:00Z", "start_timestamp_max": "2000-01-02T00:00:00Z"}
    assert rows(server.admin, **nothing)[busy.email]["num_jobs"] == "0"
    assert rows(server.admin, exclude_zero_jobs=True, **nothing) == {}


def test_times_need_an_offset(admin: Api) -> None:
    (item,) = admin.get("/admin/v2/users-csv/", 422, start_timestamp_min="2026-01-01T00:00:00")["detail"]
    assert (item["type"], item["loc"]) == ("timezone_aware", ["query", "start_timestamp_min"])
    assert item["msg"] == "Input should have timezone info"
    admin.get("/admin/v2/users-csv/", 422, exclude_zero_jobs=2)
