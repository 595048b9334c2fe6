"""Guests, invitations, permissions, and what each allows."""

from ..pair import Pair


def run(pair: Pair) -> None:
    pair.call("u1", "POST", "/project/", json={"name": "Shared"}, save="sp")
    pair.call("u1", "POST", "/project/$sp/dataset/", json={"name": "sd"}, save="sd")
    pair.call("u1", "POST", "/project/$sp/workflow/", json={"name": "sw"}, save="sw")
    guests = "/project/$sp/guest/"

    def looked_at() -> None:
        for who in ("u1", "u2", "guest"):
            pair.call(who, "GET", guests)
            pair.call(who, "GET", "/project/$sp/access/")
            pair.call(who, "GET", "/project/invitation/")
            pair.call(who, "GET", "/project/", params={"is_owner": False})
            pair.call(who, "GET", "/project/$sp/")
            pair.call(who, "GET", "/project/$sp/dataset/$sd/")
            pair.call(who, "POST", "/project/$sp/dataset/", json={"name": "x", "project_dir": "/elsewhere"})
            pair.call(who, "PATCH", "/project/$sp/workflow/$sw/", json={})
            pair.call(
                who, "POST", "/project/$sp/job/submit/", json={}, params={"workflow_id": "$sw", "dataset_id": "$sd"}
            )
            pair.call(who, "GET", "/project/$sp/job/")

    looked_at()
    for email, body in (
        ("u2@example.org", {"permissions": "r"}),
        ("u2@example.org", {"permissions": "rw"}),
        ("u1@example.org", {"permissions": "r"}),
        ("missing@example.org", {"permissions": "r"}),
        ("nonsense", {"permissions": "r"}),
        ("guest@example.org", {"permissions": "x"}),
        ("guest@example.org", {}),
        ("guest@example.org", {"permissions": "rwx"}),
        ("guest@example.org", {"permissions": "r", "x": 1}),
    ):
        pair.call("u1", "POST", guests, params={"email": email}, json=body, note=f"{email} {body}")
        pair.call("u2", "POST", guests, params={"email": email}, json=body, note=f"{email} {body}")
    pair.call("u1", "POST", guests, json={"permissions": "r"})
    looked_at()
    pair.call("u2", "POST", "/project/98765/access/accept/")
    pair.call("u2", "POST", "/project/$sp/access/accept/")
    pair.call("u2", "POST", "/project/$sp/access/accept/")
    pair.call("guest", "POST", "/project/$sp/access/accept/")
    pair.call("stranger", "POST", "/project/$sp/access/accept/")
    pair.call("u1", "POST", "/project/$sp/access/accept/")
    looked_at()
    for permissions in ("rw", "rwx", "r", "rwx"):
        pair.call("u1", "PATCH", guests, params={"email": "u2@example.org"}, json={"permissions": permissions})
        looked_at()
    for email in ("u1@example.org", "missing@example.org", "unverified@example.org", "x"):
        pair.call("u1", "PATCH", guests, params={"email": email}, json={"permissions": "r"}, note=email)
        pair.call("u1", "DELETE", guests, params={"email": email}, note=email)
    pair.call("u2", "DELETE", "/project/$sp/")
    pair.call("u2", "PATCH", "/project/$sp/", json={"name": "renamed by u2"})
    pair.call("admin", "GET", "/admin/v2/linkuserproject/", params={"project_id": "$sp"})
    pair.call("admin", "GET", "/admin/v2/project/", params={"name": "renamed"})
    pair.call("u1", "DELETE", "/project/$sp/access/")
    pair.call("u2", "DELETE", "/project/$sp/access/")
    pair.call("u2", "DELETE", "/project/$sp/access/")
    pair.call("u1", "DELETE", guests, params={"email": "guest@example.org"})
    looked_at()
