"""Identity §2, §5, §7, row by row: addresses, directories, privileges, memberships."""

from datetime import datetime
from typing import Any

import psycopg
import pytest

from tests.api import Api

from .server import PASSWORD, Person, Server


def refused(server: Server, field: str, value: Any) -> list[dict[str, Any]]:
    body = {"email": server.new_email(), "password": PASSWORD, "project_dirs": ["/a"], field: value}
    return server.admin.post("/auth/register/", body, 422)["detail"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Some Body <{name}@Example.ORG>", "{name}@example.org"),
        ("  {name}@example.org ", "{name}@example.org"),
        ("{name}.UPPER@EXAMPLE.org", "{name}.UPPER@example.org"),
        ("{name}@xn--bcher-kva.example.org", "{name}@bücher.example.org"),
        ("{name}-" + "x" * 60 + "@example.org", "{name}-" + "x" * 60 + "@example.org"),
    ],
)
def test_addresses_are_reduced_to_themselves(server: Server, given: str, kept: str) -> None:
    name = server.new_email().split("@")[0]
    user = server.register(email=given.format(name=name))
    assert user["email"] == kept.format(name=name)
    Api.login(server.url, user["email"].upper(), PASSWORD).close()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("nobody", "An email address must have an @-sign."),
        ("a@b", "The part after the @-sign is not valid. It should have a period."),
        *(
            (
                f"a@{domain}",
                "The part after the @-sign is a special-use or reserved name that cannot be used with email.",
            )
            for domain in ("b.local", "b.test", "x.localhost")
        ),
    ],
)
def test_addresses_that_are_none(server: Server, value: str, reason: str) -> None:
    (item,) = refused(server, "email", value)
    assert item == {
        "type": "value_error",
        "loc": ["body", "email"],
        "msg": f"value is not a valid email address: {reason}",
        "input": value,
        "ctx": {"reason": reason},
    }


def test_changing_only_the_case_of_an_address_is_refused(server: Server, admin: Api) -> None:
    user = server.register()
    path = f"/auth/users/{user['id']}/"
    assert admin.patch(path, {"email": user["email"].capitalize()}, 400) == {
        "detail": "UPDATE_USER_EMAIL_ALREADY_EXISTS"
    }
    admin.patch(path, {"is_verified": True})
    assert admin.patch(path, {"email": user["email"]})["is_verified"] is True, "the same: nothing happens"


def test_the_body_says_more_than_the_change_of_address(server: Server, admin: Api) -> None:
    user = server.register()
    path = f"/auth/users/{user['id']}/"
    for body in (
        {"is_verified": True, "email": server.new_email()},
        {"email": server.new_email(), "is_verified": True},
    ):
        assert admin.patch(path, body)["is_verified"] is True, "whatever the order"
    assert admin.patch(path, {"email": server.new_email()})["is_verified"] is False


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("s3://ab/x", "S3 bucket name must be between 3 and 63 characters long (given 'ab')"),
        (
            "s3://Bucket/x",
            "S3 bucket name must start and end with lowercase letter or number, and contain only lowercase letters, "
            "numbers, periods, and hyphens (given 'Bucket')",
        ),
        ("s3://a..b/x", "S3 bucket name must not contain two adjacent periods (given 'a..b')"),
        ("s3://192.168.0.1/x", "S3 bucket name must not be formatted as an IP address (given '192.168.0.1')"),
        (
            "s3://xn--abc/x",
            "S3 bucket name must not start with 'xn--', 'sthree-', 'amzn-s3-demo-' (given 'xn--abc')",
        ),
        (
            "s3://abc.mrap/x",
            "S3 bucket name must not end with '-s3alias', '--ol-s3', '.mrap', '--x-s3', '--table-s3' "
            "(given 'abc.mrap')",
        ),
        ("s3://abc/" + "x" * 1025, "S3 key must not exceed 1024 bytes (given key has 1025 bytes)"),
        ("s3://abc", "S3 URL must match pattern 's3://bucket/key' (given 's3://abc')"),
    ],
)
def test_buckets(server: Server, value: str, message: str) -> None:
    items = refused(server, "project_dirs", [value])
    assert [item["msg"] for item in items] == [
        f"Value error, String must be an absolute path (given '{value}').",
        f"Value error, {message}",
    ]


def test_directories_are_kept_as_the_contract_keeps_them(server: Server) -> None:
    dirs = ["//x//y/./", " /padded ", "/", "s3://abc/x", "s3://abc/x/", "s3://abc/a/../b"]
    assert server.register(project_dirs=dirs)["project_dirs"] == ["//x/y", "/padded", "/", *dirs[3:]]


@pytest.mark.parametrize("character", list("`#$&*()\\|[]{};<>?!"))
def test_no_shell_character_in_a_directory(server: Server, character: str) -> None:
    (item,) = refused(server, "project_dirs", [f"/a{character}b"])
    assert item["loc"] == ["body", "project_dirs"]
    assert item["msg"].startswith("Value error, Command must not contain any of this characters: '{")
    assert item["msg"].endswith(f"}}'\nProvided command: '/a{character}b'.")


def test_an_empty_list_of_directories(server: Server) -> None:
    (item,) = refused(server, "project_dirs", [])
    assert (item["type"], item["ctx"]) == ("too_short", {"field_type": "List", "min_length": 1, "actual_length": 0})


def test_narrowing_a_directory_to_where_the_data_are(server: Server, admin: Api, user: Person) -> None:
    project = user.api.post("/api/v2/project/", {"name": f"p{user.id}"})["id"]
    body = {"name": "d", "project_dir": user.project_dir, "zarr_subfolder": "dir1/data"}
    user.api.post(f"/api/v2/project/{project}/dataset/", body)
    path = f"/auth/users/{user.id}/"
    admin.patch(path, {"project_dirs": [f"{user.project_dir}/dir"]}, 422)  # /dir is no prefix of /dir1
    admin.patch(path, {"project_dirs": [f"{user.project_dir}/dir1"]})


def test_registration_gives_no_privileges(server: Server, admin: Api) -> None:
    user = server.register(
        is_guest=True, is_superuser=True, is_verified=None, is_active=False, group_ids_names=[[1, "x"]]
    )
    assert (user["is_guest"], user["is_superuser"], user["is_verified"], user["is_active"]) == (
        True,
        False,
        False,
        True,
    )
    for field in ("is_guest", "slurm_accounts", "project_dirs", "email", "password"):
        (item,) = refused(server, field, None)
        assert item["loc"] == ["body", field]
    body = {"email": server.new_email(), "password": PASSWORD, "project_dirs": ["/a"], "profile_id": 98765}
    assert admin.post("/auth/register/", body, 404) == {"detail": "Profile 98765 not found."}
    assert body["email"] not in {one["email"] for one in admin.get("/auth/users/")}


def test_registration_takes_the_password_as_it_is(server: Server) -> None:
    email = server.register(password="  zzzz  ")["email"]
    Api.login(server.url, email, "  zzzz  ").close()
    form = {"username": email, "password": "zzzz"}
    assert server.admin.http.post("/auth/token/login/", data=form).status_code == 400


def test_guests_and_superusers(server: Server, admin: Api) -> None:
    path = f"/auth/users/{server.register()['id']}/"
    assert admin.patch(path, {"is_guest": True})["is_guest"] is True
    both = admin.patch(path, {"is_superuser": True})
    assert (both["is_guest"], both["is_superuser"]) == (True, True), "not looked at unless is_guest is set"
    assert admin.patch(path, {"is_guest": True}, 422) == {"detail": "Superuser cannot be guest."}
    admin.patch(path, {"is_guest": False})
    assert admin.patch(path, {"is_guest": True}, 422) == {"detail": "Superuser cannot be guest."}
    changed = admin.patch(path, {"is_guest": True, "is_superuser": False})
    assert (changed["is_guest"], changed["is_superuser"]) == (True, False)


def test_checks_of_a_change_come_in_their_order(server: Server, admin: Api, user: Person) -> None:
    project = user.api.post("/api/v2/project/", {"name": f"p{user.id}"})["id"]
    user.api.post(f"/api/v2/project/{project}/dataset/", {"name": "d"})
    body: dict[str, Any] = {
        "profile_id": 98765,
        "project_dirs": ["/elsewhere"],
        "is_guest": True,
        "is_superuser": True,
        "password": "abc",
        "email": server.admin_email,
    }
    path = f"/auth/users/{user.id}/"
    assert admin.patch("/auth/users/98765/", body, 404)["detail"] == "User 98765 not found."
    assert admin.patch(path, body, 404)["detail"] == "Profile 98765 not found."
    body.pop("profile_id")
    assert admin.patch(path, body, 422)["detail"].startswith("You tried updating the user project_dirs")
    body.pop("project_dirs")
    assert admin.patch(path, body, 422)["detail"] == "Superuser cannot be guest."
    body.pop("is_superuser")
    assert admin.patch(path, body, 400)["detail"]["code"] == "UPDATE_USER_INVALID_PASSWORD"
    body.pop("password")
    assert admin.patch(path, body, 400)["detail"] == "UPDATE_USER_EMAIL_ALREADY_EXISTS"
    assert admin.get(path)["is_guest"] is False


def test_memberships_that_stay_keep_their_place(server: Server, admin: Api) -> None:
    user = server.register()
    everybody, *others = [
        next(one["id"] for one in admin.get("/auth/group/") if one["name"] == "All"),
        *(admin.post("/auth/group/", {"name": f"{name} {user['id']}"})["id"] for name in "abc"),
    ]
    path = f"/auth/users/{user['id']}/set-groups/"
    admin.post(path, {"group_ids": [others[2], everybody]}, 200)
    admin.post(path, {"group_ids": [others[0], everybody, others[2]]}, 200)
    changed = admin.post(path, {"group_ids": [others[1], others[2], others[0], everybody]}, 200)
    assert [one[0] for one in changed["group_ids_names"]] == [everybody, others[2], others[0], others[1]]
    assert admin.post(path, {"group_ids": [everybody], "x": 1}, 422)["detail"][0]["type"] == "extra_forbidden"


def test_names_of_groups(server: Server, admin: Api) -> None:
    name = f"Name {server.register()['id']}"
    group = admin.post("/auth/group/", {"name": f"\t{name} "})
    assert group["name"] == name
    created = datetime.fromisoformat(group["timestamp_created"])
    assert group["timestamp_created"] == created.isoformat()
    assert admin.post("/auth/group/", {"name": name.lower()})["name"] == name.lower(), "case matters"
    for body in ({"name": "  "}, {"name": ""}, {"name": None}, {}, {"name": 3}):
        assert admin.post("/auth/group/", body, 422)["detail"][0]["loc"] == ["body", "name"]


def test_a_group_goes_and_what_it_shared_becomes_private(
    admin: Api, user: Person, other: Person, database: psycopg.Connection[Any]
) -> None:
    group = admin.post("/auth/group/", {"name": f"shared {user.id}"})["id"]
    for person in (user, other):
        admin.post(f"/auth/group/{group}/add-user/{person.id}/", status=200)
    body = {"name": f"task {user.id}", "version": "1", "type": "parallel", "command_parallel": "true"}
    task = user.api.post("/api/v2/task/", body, user_group_id=group)["id"]
    assert other.api.get(f"/api/v2/task/{task}/")["id"] == task
    admin.delete(f"/auth/group/{group}/")
    assert user.api.get(f"/api/v2/task/{task}/")["id"] == task
    other.api.get(f"/api/v2/task/{task}/", 403)
    left = database.execute("SELECT count(*) FROM auth.linkusergroup WHERE group_id = %s", [group]).fetchone()
    assert left == (0,)


def test_flags_of_the_past_and_unknown_ones_are_ignored(server: Server, admin: Api) -> None:
    user = server.register()
    assert admin.get(f"/auth/users/{user['id']}/", group_ids=False, x=1)["group_ids_names"] is not None
    assert admin.get("/auth/users/", profile_id=str(server.profile_id), x="y") is not None
