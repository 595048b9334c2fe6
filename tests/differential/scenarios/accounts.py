"""Accounts, groups, log-in."""

from ..pair import PASSWORD, Pair


def run(pair: Pair) -> None:
    for who in ("u1", "guest", "stranger", "unverified", "nobody"):
        pair.call(who, "GET", "/auth/current-user/")
        pair.call(who, "GET", "/auth/current-user/", params={"group_ids_names": True})
        pair.call(who, "GET", "/auth/current-user/profile-info/")
        pair.call(who, "GET", "/auth/current-user/allowed-viewer-paths/")
        pair.call(who, "PATCH", "/auth/current-user/", json={"slurm_accounts": ["a", "a"]})
        pair.call(who, "PATCH", "/auth/current-user/", json={"project_dirs": ["/x"]})
    pair.call("u1", "PATCH", "/auth/current-user/", json={"slurm_accounts": ["a", "b"]})
    pair.call("admin", "GET", "/auth/users/")
    pair.call("admin", "GET", "/auth/users/$u1/")
    pair.call("admin", "GET", "/auth/users/98765/")
    new = {"email": "new@example.org", "password": "a password", "project_dirs": ["/new"]}
    for change in (
        {},
        {},
        {"email": "x"},
        {"email": "n2@example.org", "password": "x"},
        {"email": "n3@example.org", "project_dirs": []},
    ):
        pair.call("admin", "POST", "/auth/register/", json=new | change, save="new", note=str(change))
    for body in (
        {"is_guest": True},
        {"is_superuser": True},
        {"email": "u1@example.org"},
        {"profile_id": 98765},
        {"password": ""},
        {"x": 1},
    ):
        pair.call("admin", "PATCH", "/auth/users/$new/", json=body, note=str(body))
        pair.call("u1", "PATCH", "/auth/users/$new/", json=body, note=str(body))
    pair.call("admin", "PATCH", "/auth/users/98765/", json={})
    pair.call("admin", "POST", "/auth/group/", json={"name": "G1"}, save="group")
    pair.call("admin", "POST", "/auth/group/", json={"name": "G1"})
    pair.call("admin", "POST", "/auth/group/", json={})
    for group in ("$group", "1", "98765"):
        pair.call("admin", "GET", f"/auth/group/{group}/")
        for user in ("$u2", "98765"):
            pair.call("admin", "POST", f"/auth/group/{group}/add-user/{user}/")
            pair.call("admin", "POST", f"/auth/group/{group}/add-user/{user}/")
            pair.call("admin", "POST", f"/auth/group/{group}/remove-user/{user}/")
            pair.call("admin", "POST", f"/auth/group/{group}/remove-user/{user}/")
    for ids in (["$group"], [1], [1, "$group"], [], [98765], [1, 1]):
        pair.call("admin", "POST", "/auth/users/$u2/set-groups/", json={"group_ids": ids}, note=str(ids))
    pair.call("admin", "GET", "/auth/group/", params={"user_ids": True})
    pair.call("admin", "DELETE", "/auth/group/1/")
    pair.call("admin", "DELETE", "/auth/group/$group/")
    pair.call("admin", "DELETE", "/auth/group/98765/")
    for form in ({}, {"username": "u1@example.org"}, {"username": "u1@example.org", "password": "wrong"}):
        pair.call("nobody", "POST", "/auth/token/login/", data=form, note=str(form))
    pair.call("nobody", "POST", "/auth/token/login/", data={"username": "U1@example.org", "password": PASSWORD})
    pair.call("nobody", "POST", "/auth/token/login/", data={"username": "inactive@example.org", "password": PASSWORD})
    pair.call("nobody", "POST", "/auth/token/logout/")
    for name in ("app", "database", "email", "oauth"):
        pair.call("u1", "GET", f"/api/settings/{name}/")
