"""`/admin/v2/parked-message/`: a route of our own."""

from fractal_common.messages import BatchSubmitted

from tests.conftest import PostgresServer

from .server import Server


def park(postgres_server: PostgresServer, payload: str) -> int:
    with postgres_server.connect("contract") as connection:
        row = connection.execute(
            "INSERT INTO jobs.parkedmessage (subject, payload, error, key) "
            "VALUES ('fractal.evt.1.batch.submitted', %s, 'too new', %s) RETURNING id",
            [payload, payload[:100]],
        ).fetchone()
    assert row is not None
    return row[0]


def test_parked_messages_are_listed_replayed_and_deleted(server: Server, postgres_server: PostgresServer) -> None:
    understood = park(postgres_server, BatchSubmitted(batch="gone", handle="1").model_dump_json())
    strange = park(postgres_server, '{"type": "batch.teleported.v7"}')
    page = server.admin.get("/admin/v2/parked-message/", page_size=1)
    assert (page["total_count"], page["items"][0]["id"], page["items"][0]["times"]) == (2, strange, 1)
    answer = server.admin.post(f"/admin/v2/parked-message/{strange}/replay/", status=422)
    assert answer["detail"].startswith(f"Message {strange} is still not understood: ")
    assert server.admin.post(f"/admin/v2/parked-message/{understood}/replay/", status=202) is None
    server.admin.delete(f"/admin/v2/parked-message/{strange}/")
    assert server.admin.get("/admin/v2/parked-message/")["items"] == []
    assert server.admin.post(f"/admin/v2/parked-message/{strange}/replay/", status=404) == {
        "detail": f"Parked message {strange} not found."
    }
