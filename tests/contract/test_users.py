"""Identity §2, §5, §7: users, the current user, groups."""

from typing import Any

import pytest

from tests.api import Api

from .server import PASSWORD, Person, Server

USER_KEYS = [
    *("id", "email", "is_active", "is_superuser", "is_verified", "is_guest", "group_ids_names", "oauth_accounts"),
    *("profile_id", "project_dirs", "slurm_accounts"),
]

ABSOLUTE_PATH = (
    "function-after[val_os_path_normpath(), function-after[val_no_dotdot_in_path(), "
    "function-after[val_absolute_path(), constrained-str]]]"
)


def default_group(admin: Api) -> int:
    return next(group["id"] for group in admin.get("/auth/group/") if group["name"] == "All")


def test_register_makes_an_active_unprivileged_member_of_the_default_group(server: Server, admin: Api) -> None:
    user = server.register(is_superuser=True, is_verified=True, is_active=None, id=7, project_dirs=["/a//b/./c/"])
    assert list(user) == USER_KEYS
    assert (user["is_active"], user["is_superuser"], user["is_verified"], user["is_guest"]) == (
        True,
        False,
        False,
        False,
    )
    assert (user["group_ids_names"], user["oauth_accounts"], user["profile_id"]) == (None, [], None)
    assert (user["project_dirs"], user["slurm_accounts"]) == (["/a/b/c"], [])
    read = admin.get(f"/auth/users/{user['id']}/")
    assert read["group_ids_names"] == [[default_group(admin), "All"]]
    assert admin.get(f"/auth/users/{user['id']}/", group_ids_names=False)["group_ids_names"] is None


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("abc", "The password is too short (length = 3, minimum length = 4)."),
        ("", "The password is too short (length = 0, minimum length = 4)."),
        ("é" * 37, "The password is too long (length = 74 bytes, maximum length = 72 bytes)."),
    ],
)
def test_the_password_policy_comes_before_the_duplicate_address(server: Server, password: str, reason: str) -> None:
    email = server.register()["email"]
    body = {"email": email, "password": password, "project_dirs": ["/a"]}
    answer = server.admin.post("/auth/register/", body, 400)
    assert answer == {"detail": {"code": "REGISTER_INVALID_PASSWORD", "reason": reason}}


def test_addresses_are_unique_whatever_their_case(server: Server) -> None:
    email = server.register()["email"]
    body = {"email": email.capitalize(), "password": PASSWORD, "project_dirs": ["/a"]}
    assert server.admin.post("/auth/register/", body, 400) == {"detail": "REGISTER_USER_ALREADY_EXISTS"}


@pytest.mark.parametrize(
    ("field", "value", "kind", "message"),
    [
        ("email", "nobody", "value_error", "An email address must have an @-sign."),
        ("email", "a@b", "value_error", "It should have a period."),
        ("email", "a@b.local", "value_error", "special-use or reserved name"),
        ("password", 1234, "string_type", "Input should be a valid string"),
        ("project_dirs", [], "too_short", "List should have at least 1 item after validation, not 0"),
        ("project_dirs", ["/a", "/a/"], "value_error", "Value error, List has repetitions"),
        ("project_dirs", ["/a;b"], "value_error", "Command must not contain any of this characters"),
        ("slurm_accounts", None, "list_type", "Input should be a valid list"),
        ("slurm_accounts", ["a", "a"], "value_error", "Value error, List has repetitions"),
        ("slurm_accounts", ["a\n"], "string_pattern_mismatch", r"String should match pattern '^[a-zA-Z0-9_\-\.]+$'"),
        ("slurm_accounts", [""], "string_too_short", "String should have at least 1 character"),
        ("is_guest", 2, "bool_parsing", "Input should be a valid boolean"),
    ],
)
def test_register_names_the_field_that_is_wrong(
    server: Server, field: str, value: Any, kind: str, message: str
) -> None:
    body = {"email": server.new_email(), "password": PASSWORD, "project_dirs": ["/a"], field: value}
    (item,) = server.admin.post("/auth/register/", body, 422)["detail"]
    assert (item["type"], item["loc"][:2]) == (kind, ["body", field])
    assert message in item["msg"]


def test_a_directory_is_absolute_or_a_bucket(server: Server) -> None:
    for value, message in [("relative", "String must be an absolute path (given 'relative')."), ("/a/../b", "/../")]:
        body = {"email": server.new_email(), "password": PASSWORD, "project_dirs": [value]}
        items = server.admin.post("/auth/register/", body, 422)["detail"]
        assert [item["loc"] for item in items] == [
            ["body", "project_dirs", 0, ABSOLUTE_PATH],
            ["body", "project_dirs", 0, "function-after[val_s3_url(), constrained-str]"],
        ]
        assert message in items[0]["msg"]
        assert "S3 URL must match pattern 's3://bucket/key'" in items[1]["msg"]
    user = server.register(project_dirs=["s3://bucket-1/key/", "//x/y"])
    assert user["project_dirs"] == ["s3://bucket-1/key/", "//x/y"]


def test_users_are_listed_without_groups_and_by_profile(server: Server, admin: Api, user: Person) -> None:
    listed = admin.get("/auth/users/")
    assert user.email in {item["email"] for item in listed}
    assert {item["group_ids_names"] for item in listed} == {None}
    assert user.id in {item["id"] for item in admin.get("/auth/users/", profile_id=server.profile_id)}
    assert admin.get("/auth/users/", profile_id=987654) == []
    assert admin.get("/auth/users/987654/", 404) == {"detail": "User 987654 not found."}


def test_patch_changes_what_it_names_and_nothing_else(server: Server, admin: Api) -> None:
    user = server.register()
    path = f"/auth/users/{user['id']}/"
    assert admin.patch(path, {}) == user | {"group_ids_names": [[default_group(admin), "All"]]}
    changed = admin.patch(path, {"profile_id": str(server.profile_id), "is_verified": "yes", "slurm_accounts": ["a.b"]})
    assert (changed["profile_id"], changed["is_verified"], changed["slurm_accounts"]) == (
        server.profile_id,
        True,
        ["a.b"],
    )
    assert admin.patch(path, {"profile_id": None})["profile_id"] is None
    assert admin.patch(path, {"email": "moved-" + user["email"]})["is_verified"] is False
    assert admin.patch(path, {"email": user["email"], "is_verified": True})["is_verified"] is True
    admin.patch(path, {"password": "  zzzz  "})
    Api.login(server.url, user["email"], "zzzz").close()


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"profile_id": 987654}, 404, "Profile 987654 not found."),
        ({"profile_id": 0}, 404, "Profile 0 not found."),
        ({"is_guest": True, "is_superuser": True}, 422, "Superuser cannot be guest."),
        ({"email": "ADMIN@example.org"}, 400, "UPDATE_USER_EMAIL_ALREADY_EXISTS"),
        (
            {"password": "abc", "email": "new@example.org"},
            400,
            {
                "code": "UPDATE_USER_INVALID_PASSWORD",
                "reason": "The password is too short (length = 3, minimum length = 4).",
            },
        ),
    ],
)
def test_a_refused_patch_changes_nothing(
    server: Server, admin: Api, body: dict[str, Any], status: int, detail: object
) -> None:
    user = server.register()
    path = f"/auth/users/{user['id']}/"
    before = admin.get(path)
    assert admin.patch(path, body, status) == {"detail": detail}
    assert admin.get(path) == before
    assert admin.patch("/auth/users/987654/", body, 404) == {"detail": "User 987654 not found."}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"id": 3}, "extra_forbidden"),
        ({"oauth_accounts": []}, "extra_forbidden"),
        ({"is_active": None}, "bool_type"),
        ({"password": "   "}, "string_too_short"),
        ({"password": None}, "string_type"),
        ({"project_dirs": None}, "list_type"),
    ],
)
def test_patch_refuses_other_keys_and_nulls(server: Server, admin: Api, body: dict[str, Any], kind: str) -> None:
    (item,) = admin.patch(f"/auth/users/{server.register()['id']}/", body, 422)["detail"]
    assert (item["type"], item["loc"]) == (kind, ["body", *body])


def test_a_directory_with_datasets_cannot_be_taken_away(admin: Api, user: Person) -> None:
    project = user.api.post("/api/v2/project/", {"name": "p"})["id"]
    user.api.post(f"/api/v2/project/{project}/dataset/", {"name": "d"})
    path = f"/auth/users/{user.id}/"
    answer = admin.patch(path, {"project_dirs": ["/elsewhere"]}, 422)
    assert answer["detail"] == (
        f"You tried updating the user project_dirs, removing ['{user.project_dir}']. This operation is not possible, "
        "because it would make the user loose access to some of their dataset zarr directories."
    )
    assert admin.patch(path, {"project_dirs": [f"{user.project_dir}/fractal", "/more"]})["project_dirs"] == [
        f"{user.project_dir}/fractal",
        "/more",
    ]


def test_the_current_user_may_change_their_accounts_only(user: Person, guest: Person) -> None:
    me = user.api.get("/auth/current-user/")
    assert (list(me), me["id"], me["group_ids_names"]) == (USER_KEYS, user.id, None)
    assert user.api.get("/auth/current-user/", group_ids_names=True)["group_ids_names"][0][1] == "All"
    changed = user.api.patch("/auth/current-user/", {"slurm_accounts": ["x"]})
    assert (changed["slurm_accounts"], changed["group_ids_names"][0][1]) == (["x"], "All")
    assert user.api.patch("/auth/current-user/", {})["slurm_accounts"] == ["x"]
    for key in ("password", "email", "project_dirs", "profile_id", "is_superuser"):
        (item,) = user.api.patch("/auth/current-user/", {key: "x"}, 422)["detail"]
        assert (item["type"], item["msg"]) == ("extra_forbidden", "Extra inputs are not permitted")
    refused = {"detail": "This feature is not available for guest users."}
    assert guest.api.patch("/auth/current-user/", {}, 403) == refused
    guest.api.patch("/auth/current-user/", {"x": 1}, 422)


def test_profile_info_says_where_one_runs(server: Server, user: Person) -> None:
    info = user.api.get("/auth/current-user/profile-info/")
    assert info == {
        "has_profile": True,
        "resource_name": "Local resource",
        "profile_name": "Local profile",
        "username": None,
    }
    nobody = server.person(profile_id="keep")
    info = nobody.api.get("/auth/current-user/profile-info/")
    assert info == {"has_profile": False, "resource_name": None, "profile_name": None, "username": None}


def test_set_groups_replaces_memberships(server: Server, admin: Api) -> None:
    user = server.register()
    name = f"group {user['id']}"
    group = admin.post("/auth/group/", {"name": f" {name} "})
    everybody = default_group(admin)
    path = f"/auth/users/{user['id']}/set-groups/"
    changed = admin.post(path, {"group_ids": [group["id"], everybody]}, 200)
    assert changed["group_ids_names"] == [[everybody, "All"], [group["id"], name]]
    for body, status, detail in [
        ({"group_ids": [group["id"]]}, 422, ["Cannot remove user from 'All' group."]),
        ({"group_ids": [everybody, 98765]}, 404, f"Some UserGroups in [{everybody}, 98765] do not exist."),
    ]:
        assert admin.post(path, body, status) == {"detail": detail}
    for ids, message in [
        ([], "List should have at least 1 item after validation, not 0"),
        ([1, 1], "Value error, List has repetitions"),
        ([-1], "Input should be greater than or equal to 0"),
    ]:
        assert admin.post(path, {"group_ids": ids}, 422)["detail"][0]["msg"] == message
    assert admin.post("/auth/users/98765/set-groups/", {"group_ids": [everybody]}, 404) == {
        "detail": "User 98765 not found."
    }


def test_groups(server: Server, admin: Api) -> None:
    user = server.register()
    created = admin.post("/auth/group/", {"name": f"team {user['id']}"})
    assert (list(created), created["user_ids"]) == (["id", "name", "timestamp_created", "user_ids"], [])
    assert created["timestamp_created"].endswith("+00:00")
    assert admin.post("/auth/group/", {"name": created["name"]}, 422) == {
        "detail": "A group with the same name already exists"
    }
    admin.post("/auth/group/", {"name": "x", "viewer_paths": []}, 422)
    listed = admin.get("/auth/group/")
    assert [group["id"] for group in listed] == sorted(group["id"] for group in listed)
    assert {group["user_ids"] for group in listed} == {None}
    path = f"/auth/group/{created['id']}/"
    add, remove = f"{path}add-user/{user['id']}/", f"{path}remove-user/{user['id']}/"
    assert admin.post(add, status=200)["user_ids"] == [user["id"]]
    member = f"User '{user['email']}' is already a member of group {created['id']}."
    assert admin.post(add, status=422) == {"detail": member}
    assert admin.get(path)["user_ids"] == [user["id"]]
    assert admin.post(remove, status=200)["user_ids"] == []
    assert (
        admin.post(remove, status=422)["detail"] == f"User '{user['email']}' is not a member of group {created['id']}."
    )
    assert admin.post(f"{path}add-user/98765/", status=404) == {"detail": "User 98765 not found."}
    assert admin.post("/auth/group/98765/add-user/98765/", status=404) == {"detail": "UserGroup 98765 not found."}
    everybody = default_group(admin)
    refused = {"detail": ["Cannot remove user from 'All' group."]}
    assert admin.post(f"/auth/group/{everybody}/remove-user/{user['id']}/", status=422) == refused
    assert admin.delete(f"/auth/group/{everybody}/", 422) == {"detail": "Cannot delete default UserGroup 'All'."}
    admin.delete(path)
    assert admin.get(path, 404) == {"detail": f"UserGroup {created['id']} not found."}


@pytest.mark.parametrize("user_id", [2**31, 2**63, -1])
def test_ids_that_cannot_exist_are_not_found(admin: Api, user_id: int) -> None:
    admin.get(f"/auth/users/{user_id}/", 404)
    admin.get(f"/auth/group/{user_id}/", 404)
