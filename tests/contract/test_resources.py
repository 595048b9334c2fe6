"""Identity §9: resources and profiles."""

from collections.abc import Generator
from typing import Any

import pytest

from tests.api import Api

from .compute import BATCHING, RESOURCE_KEYS, SLURM, local, ssh, ssh_profile, sudo
from .server import Server


def slurm_backend(server: Server, backend: str) -> Generator[Api]:
    with server.replica(FRACTAL_RUNNER_BACKEND=backend) as url:
        api = Api(url, server.admin.http.headers["authorization"].split()[1])
        yield api
        api.close()


@pytest.fixture(scope="module")
def sudo_admin(server: Server) -> Generator[Api]:
    yield from slurm_backend(server, "slurm")  # its name in earlier releases


@pytest.fixture(scope="module")
def ssh_admin(server: Server) -> Generator[Api]:
    yield from slurm_backend(server, "slurm_ssh")


def test_a_resource_is_stored_with_its_defaults(admin: Api) -> None:
    body = local(unknown="ignored")
    made = admin.post("/admin/v2/resource/", body)
    assert list(made) == RESOURCE_KEYS
    assert (made["name"], made["type"], made["host"], made["jobs_slurm_python_worker"]) == (
        body["name"],
        "local",
        None,
        None,
    )
    assert (made["tasks_local_dir"], made["jobs_local_dir"]) == ("/t", "/j")
    assert (made["prevent_new_submissions"], made["jobs_poll_interval"]) == (False, 5)
    assert made["jobs_runner_config"] == {"parallel_tasks_per_job": None}
    assert made["tasks_python_config"] == {
        "versions": {"3.12": "/usr/bin/python"},
        "pip_cache_dir": None,
        "default_version": "3.12",
    }
    assert list(made["tasks_python_config"]) == ["versions", "pip_cache_dir", "default_version"]
    assert made["tasks_pixi_config"] == {}
    assert made["timestamp_created"].endswith("Z")
    assert admin.get(f"/admin/v2/resource/{made['id']}/") == made
    listed = admin.get("/admin/v2/resource/")
    assert made in listed
    assert [one["id"] for one in listed] == sorted(one["id"] for one in listed)
    admin.delete(f"/admin/v2/resource/{made['id']}/")
    assert admin.get(f"/admin/v2/resource/{made['id']}/", 404) == {"detail": f"Resource {made['id']} not found"}


def test_put_replaces_a_resource_whole(admin: Api) -> None:
    made = admin.post("/admin/v2/resource/", local(jobs_poll_interval=9, prevent_new_submissions="yes"))
    assert (made["jobs_poll_interval"], made["prevent_new_submissions"]) == (9, True)
    url = f"/admin/v2/resource/{made['id']}/"
    replaced = admin.call("PUT", url, json=local(name=made["name"], jobs_local_dir="/elsewhere"))
    assert replaced == made | {
        "jobs_poll_interval": 5,
        "prevent_new_submissions": False,
        "jobs_local_dir": "/elsewhere",
    }
    taken = admin.post("/admin/v2/resource/", local())
    answer = admin.call("PUT", url, 422, json=local(name=taken["name"]))
    assert answer == {"detail": f"Resource with name '{taken['name']}' already exists."}
    admin.patch(url, {"name": "x"}, 405)
    for one in (made, taken):
        admin.delete(f"/admin/v2/resource/{one['id']}/")


def test_the_backend_is_looked_at_first(admin: Api) -> None:
    name = admin.get("/admin/v2/resource/")[0]["name"]
    refusal = "settings.FRACTAL_RUNNER_BACKEND='local' != new_resource.type="
    for body, kind in [
        (sudo(name=name), "<ResourceType.SLURM_SUDO: 'slurm_sudo'>"),
        (ssh(name=name), "<ResourceType.SLURM_SSH: 'slurm_ssh'>"),
    ]:
        assert admin.post("/admin/v2/resource/", body, 422) == {"detail": refusal + kind}
        assert admin.call("PUT", "/admin/v2/resource/98765/", 422, json=body) == {"detail": refusal + kind}
    assert admin.call("PUT", "/admin/v2/resource/98765/", 404, json=local()) == {"detail": "Resource 98765 not found"}
    for method in ("GET", "DELETE"):
        for number in (98765, 2**40, -1):
            answer = admin.call(method, f"/admin/v2/resource/{number}/", 404)
            assert answer == {"detail": f"Resource {number} not found"}
    answer = admin.post("/admin/v2/resource/", local(name=f" {name} "), 422)
    assert answer == {"detail": f"Resource with name '{name}' already exists."}


def test_a_resource_in_use_stays(admin: Api, server: Server) -> None:
    resource = admin.get("/admin/v2/resource/")[0]
    answer = admin.delete(f"/admin/v2/resource/{resource['id']}/", 422)
    assert answer["detail"].startswith("IntegrityError for resource deletion. Original error:\n")
    assert admin.get(f"/admin/v2/resource/{resource['id']}/") == resource


ABSOLUTE = "Value error, String must be an absolute path (given 'x')."
PARENT = "Value error, String must not contain '/../'."
NOT_MEMORY = (
    "Value error, [_parse_mem_value] raw_mem='{}', invalid specification of memory requirements "
    "(valid examples: 93, 71M, 93G, 71T)."
)
PYTHON = {"default_version": "3.12", "versions": {"3.12": "/p"}}


def defaults(**changes: Any) -> dict[str, Any]:
    return {"jobs_runner_config": SLURM | {"default_slurm_config": changes}}


@pytest.mark.parametrize(
    ("body", "loc", "kind", "message"),
    [
        (local(name=" "), ["name"], "string_too_short", "String should have at least 1 character"),
        (local(tasks_local_dir="x"), ["tasks_local_dir"], "value_error", ABSOLUTE),
        (local(jobs_local_dir="/a/../b"), ["jobs_local_dir"], "value_error", PARENT),
        (local(tasks_pixi_config=None), ["tasks_pixi_config"], "dict_type", "Input should be a valid dictionary"),
        (local(host="h"), ["host"], "none_required", "Input should be None"),
        (local(jobs_slurm_python_worker="/p"), ["jobs_slurm_python_worker"], "none_required", "Input should be None"),
        (
            local(jobs_runner_config={"x": 1}),
            ["jobs_runner_config", "x"],
            "extra_forbidden",
            "Extra inputs are not permitted",
        ),
        (
            local(prevent_new_submissions=2),
            ["prevent_new_submissions"],
            "bool_parsing",
            "Input should be a valid boolean, unable to interpret input",
        ),
        (
            local(jobs_poll_interval=2**31),
            ["jobs_poll_interval"],
            "value_error",
            "Value error, must be between -2147483647 and 2147483647",
        ),
        (
            local(tasks_python_config=PYTHON | {"default_version": "3.11"}),
            ["tasks_python_config"],
            "value_error",
            "Value error, The default Python version ('3.11') is not available in ['3.12'].",
        ),
        (
            local(tasks_python_config=PYTHON | {"versions": {"3.8": "/p"}}),
            ["tasks_python_config", "versions", "3.8", "[key]"],
            "literal_error",
            "Input should be '3.9', '3.10', '3.11', '3.12', '3.13', '3.14' or '3.15'",
        ),
        (
            local(tasks_python_config=PYTHON | {"pip_cache_dir": "x"}),
            ["tasks_python_config", "pip_cache_dir"],
            "value_error",
            ABSOLUTE,
        ),
        (sudo(host="h"), ["host"], "none_required", "Input should be None"),
        (sudo(jobs_slurm_python_worker=None), ["jobs_slurm_python_worker"], "string_type", None),
        (ssh(host=""), ["host"], "string_too_short", None),
        (
            sudo(jobs_runner_config={"default_slurm_config": {}}),
            ["jobs_runner_config", "batching_config"],
            "missing",
            "Field required",
        ),
        (
            sudo(**defaults(mem="2K")),
            ["jobs_runner_config", "default_slurm_config", "mem"],
            "value_error",
            NOT_MEMORY.format("2K"),
        ),
        (
            sudo(**defaults(mem="0")),
            ["jobs_runner_config", "default_slurm_config", "mem"],
            "value_error",
            NOT_MEMORY.format("0"),
        ),
        (
            sudo(**defaults(pre_submission_commands=[])),
            ["jobs_runner_config", "default_slurm_config", "pre_submission_commands"],
            "extra_forbidden",
            None,
        ),
        (
            sudo(**defaults(cpus_per_task=0)),
            ["jobs_runner_config", "default_slurm_config", "cpus_per_task"],
            "greater_than",
            None,
        ),
        (sudo(**defaults(gpus=1)), ["jobs_runner_config", "default_slurm_config", "gpus"], "string_type", None),
    ],
)
def test_errors_of_a_resource_name_the_field(
    admin: Api, body: dict[str, Any], loc: list[str], kind: str, message: str | None
) -> None:
    (item,) = admin.post("/admin/v2/resource/", body, 422)["detail"]
    assert (item["loc"], item["type"]) == (["body", body["type"], *loc], kind)
    assert message in (None, item["msg"])
    assert "url" not in item


def test_memory_is_a_number_or_a_text(admin: Api) -> None:
    items = admin.post("/admin/v2/resource/", sudo(**defaults(mem=[1])), 422)["detail"]
    ends = {item["loc"][-1] for item in items}
    assert ends == {"constrained-int", "constrained-str"}


@pytest.mark.parametrize("path", ["resource/", "resource/{id}/profile/"])
def test_the_type_decides_what_a_body_is_checked_against(admin: Api, path: str) -> None:
    url = "/admin/v2/" + path.format(id=admin.get("/admin/v2/resource/")[0]["id"])
    field = "resource_type" if "profile" in path else "type"
    kinds = (
        "<ResourceType.LOCAL: 'local'>, <ResourceType.SLURM_SUDO: 'slurm_sudo'>, <ResourceType.SLURM_SSH: 'slurm_ssh'>"
    )
    for body in ({"name": "x"}, {field: None}, []):
        (item,) = admin.post(url, body, 422)["detail"]
        assert (item["type"], item["loc"]) == ("union_tag_not_found", ["body"])
        assert item["msg"] == "Unable to extract tag using discriminator get_discriminator_value()"
        assert item["ctx"] == {"discriminator": "get_discriminator_value()"}
    for value in ("slurm", 3, ["local"]):
        (item,) = admin.post(url, {field: value}, 422)["detail"]
        assert (item["type"], item["loc"]) == ("union_tag_invalid", ["body"])
        assert kinds in item["msg"]


def test_forbidden_characters_are_refused(admin: Api) -> None:
    for body in (
        local(name="a\0b"),
        local(jobs_local_dir="/a\0b"),
        local(tasks_python_config=PYTHON | {"pip_cache_dir": "/\0"}),
    ):
        admin.post("/admin/v2/resource/", body, 422)


def test_a_name_that_no_index_can_hold_is_refused(admin: Api) -> None:
    name = "".join(str(number) for number in range(60_000))  # not to be compressed away
    assert "too long" in admin.post("/admin/v2/resource/", local(name=name), 422)["detail"]


def test_slurm_configurations_are_stored_whole(ssh_admin: Api) -> None:
    made = ssh_admin.post("/admin/v2/resource/", ssh(jobs_poll_interval="3"))
    assert (made["host"], made["jobs_slurm_python_worker"], made["jobs_poll_interval"]) == (
        "cluster.example.org",
        "/usr/bin/python3",
        3,
    )
    assert made["jobs_runner_config"] == {
        "batching_config": BATCHING | {"target_mem_per_job": 1000},
        "gpu_slurm_config": None,
        "user_local_exports": {},
        "default_slurm_config": {
            **dict.fromkeys(("gpus", "gres", "time", "nodes", "account", "exclude", "nodelist", "constraint")),
            "mem": 100,
            "partition": "main",
            "extra_lines": [],
            "shebang_line": "#!/bin/sh",
            "cpus_per_task": 1,
            "use_mem_per_cpu": False,
        },
    }
    url = f"/admin/v2/resource/{made['id']}"
    answer = ssh_admin.post(f"{url}/profile/", {"resource_type": "local", "name": "x"}, 422)
    assert answer == {
        "detail": "resource.type='slurm_ssh' differs from new_profile.resource_type=<ResourceType.LOCAL: 'local'>."
    }
    profile = ssh_admin.post(f"{url}/profile/", ssh_profile())
    assert profile == profile | {
        "resource_id": made["id"],
        "resource_type": "slurm_ssh",
        "username": "u",
        "ssh_key_path": "/k",
        "jobs_remote_dir": "/j",
        "tasks_remote_dir": "/t",
        "pixi_cache_dir": None,
    }
    # A profile is not held to its resource's type when it is replaced.
    body = {"resource_type": "slurm_sudo", "name": profile["name"], "username": "v"}
    replaced = ssh_admin.call("PUT", f"/admin/v2/profile/{profile['id']}/", json=body)
    assert (replaced["resource_type"], replaced["ssh_key_path"]) == ("slurm_sudo", None)
    ssh_admin.delete(f"/admin/v2/profile/{profile['id']}/")
    ssh_admin.delete(f"{url}/")


def test_the_backend_of_earlier_releases_is_slurm_sudo(sudo_admin: Api) -> None:
    assert sudo_admin.get("/api/settings/app/")["FRACTAL_RUNNER_BACKEND"] == "slurm_sudo"
    made = sudo_admin.post("/admin/v2/resource/", sudo())
    url = f"/admin/v2/resource/{made['id']}/"
    # Edited only by making it one of the instance's backend.
    assert sudo_admin.call("PUT", url, 422, json=local())["detail"].endswith("<ResourceType.LOCAL: 'local'>")
    assert sudo_admin.call("PUT", url, json=sudo(name=made["name"], prevent_new_submissions=1))[
        "prevent_new_submissions"
    ]
    sudo_admin.delete(url)
