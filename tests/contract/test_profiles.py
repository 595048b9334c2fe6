"""Identity §9.7: profiles, and the public client's commands for them and for resources."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.api import Api

from .compute import PROFILE_KEYS, local, numbers, ssh_profile
from .server import Server

CLIENT = Path(__file__).parents[2] / ".venv-client/bin/fractal"


def test_profiles_are_made_through_their_resource(admin: Api) -> None:
    resource = admin.post("/admin/v2/resource/", local())
    url = f"/admin/v2/resource/{resource['id']}/profile/"
    assert admin.get(url) == []
    name = f"profile {next(numbers)}"
    made = admin.post(url, {"resource_type": "local", "name": f" {name} ", "username": None, "extra": 1, "type": 3})
    assert made == {
        "id": made["id"],
        "name": name,
        "resource_id": resource["id"],
        "resource_type": "local",
    } | dict.fromkeys(PROFILE_KEYS[4:])
    assert list(made) == PROFILE_KEYS
    assert admin.get(url) == [made]
    assert made in admin.get("/admin/v2/profile/")
    one = f"/admin/v2/profile/{made['id']}/"
    assert admin.get(one) == made
    assert admin.post(url, {"resource_type": "local", "name": name}, 422) == {
        "detail": f"Profile with name '{name}' already exists."
    }
    other = admin.post(url, {"resource_type": "local", "name": f"{name} too"})
    assert admin.get(url) == [made, other]
    answer = admin.call("PUT", one, 422, json={"resource_type": "local", "name": other["name"]})
    assert answer == {"detail": f"Profile with name '{other['name']}' already exists."}
    body = {"resource_type": "local", "name": f"{name} again", "resource_id": 98765}
    assert admin.call("PUT", one, json=body) == made | {"name": f"{name} again"}
    admin.post("/admin/v2/profile/", body, 405)
    for wrong in ("username", "ssh_key_path", "jobs_remote_dir", "tasks_remote_dir", "pixi_cache_dir"):
        (item,) = admin.post(url, {"resource_type": "local", "name": "x", wrong: "/x"}, 422)["detail"]
        assert (item["type"], item["loc"]) == ("none_required", ["body", "local", wrong])
    assert admin.delete(f"/admin/v2/resource/{resource['id']}/", 422)["detail"].startswith("IntegrityError for")
    for profile in (made, other):
        admin.delete(f"/admin/v2/profile/{profile['id']}/")
    admin.delete(f"/admin/v2/resource/{resource['id']}/")


@pytest.mark.parametrize(
    ("body", "loc", "kind"),
    [
        ({"resource_type": "slurm_sudo", "name": "x"}, ["username"], "missing"),
        ({"resource_type": "slurm_sudo", "name": "x", "username": ""}, ["username"], "string_too_short"),
        (
            {"resource_type": "slurm_sudo", "name": "x", "username": "u", "ssh_key_path": "/k"},
            ["ssh_key_path"],
            "none_required",
        ),
        (ssh_profile(ssh_key_path="k"), ["ssh_key_path"], "value_error"),
        (ssh_profile(jobs_remote_dir=None), ["jobs_remote_dir"], "string_type"),
        (ssh_profile(tasks_remote_dir="/a/.."), ["tasks_remote_dir"], "value_error"),
        (ssh_profile(pixi_cache_dir="x"), ["pixi_cache_dir"], "value_error"),
    ],
)
def test_errors_of_a_profile_name_the_field(admin: Api, body: dict[str, Any], loc: list[str], kind: str) -> None:
    resource_id = admin.get("/admin/v2/resource/")[0]["id"]
    (item,) = admin.post(f"/admin/v2/resource/{resource_id}/profile/", body, 422)["detail"]
    assert (item["loc"], item["type"]) == (["body", body["resource_type"], *loc], kind)


def test_what_is_missing_or_in_use_is_named(admin: Api, server: Server) -> None:
    body = {"resource_type": "local", "name": f"profile {next(numbers)}"}
    for number in (98765, 2**40):
        for method, path, given in [
            ("GET", "profile/{}/", None),
            ("PUT", "profile/{}/", body),
            ("DELETE", "profile/{}/", None),
        ]:
            answer = admin.call(method, "/admin/v2/" + path.format(number), 404, json=given)
            assert answer == {"detail": f"Profile {number} not found"}
        for method, given in [("GET", None), ("POST", body)]:
            answer = admin.call(method, f"/admin/v2/resource/{number}/profile/", 404, json=given)
            assert answer == {"detail": f"Resource {number} not found"}
    server.person()
    users = len(admin.get("/auth/users/", profile_id=server.profile_id))
    assert admin.delete(f"/admin/v2/profile/{server.profile_id}/", 422) == {
        "detail": f"Cannot delete Profile {server.profile_id} because it's associated with {users} UserOAuths."
    }


def test_the_public_client_makes_resources_and_profiles(server: Server, tmp_path: Path) -> None:
    token = server.admin.http.headers["authorization"].split()[1]
    (tmp_path / "token").write_text(token)

    def fractal(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [str(CLIENT), "--fractal-server", server.url, "--token-path", str(tmp_path / "token"), *arguments]
        return subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    (tmp_path / "resource.json").write_text(json.dumps(local()))
    (tmp_path / "profile.json").write_text(json.dumps({"resource_type": "local", "name": f"profile {next(numbers)}"}))
    made = fractal("--batch", "resource", "new", "resource.json")
    assert made.returncode == 0, made.stdout + made.stderr
    resource_id = made.stdout.strip()
    again = fractal("resource", "new", "resource.json")
    assert again.returncode != 0
    assert "already exists." in again.stdout + again.stderr
    profile = fractal("profile", "new", resource_id, "profile.json")
    assert profile.returncode == 0, profile.stdout + profile.stderr
    (read,) = server.admin.get(f"/admin/v2/resource/{resource_id}/profile/")
    assert str(read["id"]) in profile.stdout
    server.admin.delete(f"/admin/v2/profile/{read['id']}/")
    server.admin.delete(f"/admin/v2/resource/{resource_id}/")
