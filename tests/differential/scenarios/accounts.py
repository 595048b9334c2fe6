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
    rows(pair)


def rows(pair: Pair) -> None:
    """What an account may hold, at its registration and later."""
    users = "/auth/users/$new/"
    for body in (
        {"project_dirs": ["/a//b/./c/", " /padded "]},
        {"project_dirs": ["/a", "/a/"]},
        {"project_dirs": ["a"]},
        {"project_dirs": ["/a/../b"]},
        {"project_dirs": ["/a;b"]},
        {"project_dirs": ["/a b"]},
        {"project_dirs": ["s3://bucket/key/", "s3://bucket/key"]},
        {"project_dirs": ["s3://b/key"]},
        {"project_dirs": []},
        {"project_dirs": None},
        {"project_dirs": "x"},
        {"project_dirs": [1]},
        {"slurm_accounts": ["a", " b "]},
        {"slurm_accounts": ["a", "a "]},
        {"slurm_accounts": [""]},
        {"slurm_accounts": None},
        {"slurm_accounts": []},
        {"slurm_accounts": [1]},
        {"email": "NEW@example.org"},
        {"email": "new@EXAMPLE.org"},
        {"email": "New Person <newer@example.org>"},
        {"email": None},
        {"email": "admin@example.org"},
        {"is_active": None},
        {"is_active": "yes"},
        {"is_verified": True, "is_guest": True, "is_superuser": True},
        {"is_superuser": True},
        {"is_guest": True},
        {"is_superuser": False, "is_guest": True},
        {"is_superuser": True, "is_guest": True},
        {"is_guest": False},
        {"profile_id": "$profile"},
        {"profile_id": None},
        {"profile_id": 0},
        {"profile_id": "x"},
        {"password": "short"},
        {"password": "x" * 101},
        {"password": "new@example.org"},
        {"password": None},
        {"oauth_accounts": []},
        {"group_ids_names": []},
        {"id": 1},
        {},
    ):
        pair.call("admin", "PATCH", users, json=body, note=str(body)[:120])
    for params in ({}, {"group_ids_names": False}, {"group_ids_names": "x"}):
        pair.call("admin", "GET", users, params=params, note=str(params))
    for params in ({"profile_id": "$profile"}, {"profile_id": 98765}, {"profile_id": "x"}):
        pair.call("admin", "GET", "/auth/users/", params=params, note=str(params))
    base = {"email": "fresh@example.org", "password": "a password", "project_dirs": ["/fresh"]}
    for number, change in enumerate(
        (
            {"is_superuser": True, "is_verified": True, "is_guest": True},
            {"slurm_accounts": ["a"]},
            {"profile_id": "$profile"},
            {"project_dirs": ["/a", "/a"]},
            {"project_dirs": "x"},
            {"project_dirs": None},
            {"password": "abc"},
            {"password": ""},
            {"password": "x" * 101},
            {"email": "  spaced@example.org "},
            {"email": "Name <named@example.org>"},
            {"email": "a@b"},
            {"email": "x@localhost"},
            {"x": 1},
        )
    ):
        body = base | {"email": f"fresh{number}@example.org"} | change
        pair.call("admin", "POST", "/auth/register/", json=body, note=str(change)[:120])
    for who, body in (
        ("u1", {}),
        ("u1", {"slurm_accounts": None}),
        ("u1", {"slurm_accounts": [" x "]}),
        ("u1", {"slurm_accounts": []}),
        ("u1", {"email": "x@example.org"}),
        ("u1", {"password": "new password"}),
        ("guest", {}),
        ("stranger", {"slurm_accounts": ["s"]}),
        ("unverified", {"slurm_accounts": ["s"]}),
    ):
        pair.call(who, "PATCH", "/auth/current-user/", json=body, note=str(body))
    for params in ({"include_shared_projects": False}, {"include_shared_projects": "x"}):
        pair.call("u2", "GET", "/auth/current-user/allowed-viewer-paths/", params=params, note=str(params))
    for body in ({"name": ""}, {"name": " "}, {"name": "All"}, {"name": " Spaced "}, {"name": None}, {"x": 1}):
        pair.call("admin", "POST", "/auth/group/", json=body, note=str(body))
    for params in ({}, {"user_ids": False}, {"user_ids": "x"}):
        pair.call("admin", "GET", "/auth/group/", params=params, note=str(params))
        pair.call("u1", "GET", "/auth/group/", params=params, note=str(params))
    for body in ({}, {"group_ids": None}, {"group_ids": "x"}, {"group_ids": [1], "x": 1}, {"group_ids": [1, 98765]}):
        pair.call("admin", "POST", "/auth/users/$u2/set-groups/", json=body, note=str(body))
