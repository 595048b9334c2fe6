"""api §3.4, §20: workflow templates."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api import Api

from .server import Person, Server

TEMPLATES = "/api/v2/workflow-template/"
COMMAND = "python3 /task.py"
NOT_AUTHORIZED = (
    "You are not authorized to perform this action. If you think this is by mistake, please contact the project owner."
)


@pytest.fixture
def package(user: Person, server: Server) -> str:
    """A package of one task, in versions 1 and 2."""
    name = f"package {server.new_email()}"
    for version in ("1", "2"):
        user.api.post("/api/v2/task/", {"name": name, "version": version, "command_parallel": COMMAND})
    return name


@pytest.fixture
def project(user: Person) -> str:
    return f"/api/v2/project/{user.api.post('/api/v2/project/', {'name': 'p'})['id']}/"


def item(package: str, **fields: Any) -> dict[str, Any]:
    task = {"pkg_name": package, "version": "1", "name": package}
    optional = ("meta_non_parallel", "meta_parallel", "args_non_parallel", "args_parallel", "description", "alias")
    return dict.fromkeys(optional) | {"type_filters": {}, "task": task} | fields


@pytest.fixture
def workflow(user: Person, project: str, package: str) -> int:
    """A workflow with the task twice."""
    items = [item(package, args_parallel={"b": 1, "a": 2}, alias="A"), item(package, type_filters={"t": True})]
    body = {"name": "w", "description": "d", "task_list": items}
    return user.api.post(f"{project}workflow/import/", body)["id"]


def create(person: Person, workflow: int, name: str, version: int = 1, status: int = 201, **params: Any) -> Any:
    return person.api.post(TEMPLATES, {"name": name, "version": version}, status, workflow_id=workflow, **params)


def import_(person: Person, package: str, status: int = 201, **fields: Any) -> Any:
    data = {"name": "w", "description": None, "task_list": [item(package)]}
    return person.api.post(f"{TEMPLATES}import/", {"name": "t", "version": 1, "data": data} | fields, status)


def group(server: Server, *people: Person) -> int:
    group_id = server.admin.post("/auth/group/", {"name": server.new_email()})["id"]
    for person in people:
        server.admin.post(f"/auth/group/{group_id}/add-user/{person.id}/", status=200)
    return group_id


def test_a_template_is_a_workflow_at_that_moment(user: Person, project: str, workflow: int) -> None:
    export = user.api.get(f"{project}workflow/{workflow}/export/")
    body = {"name": " T/ü ", "version": 3, "description": "why", "more": 1}
    created = user.api.post(TEMPLATES, body, workflow_id=workflow)
    assert list(created) == [
        "id",
        "user_email",
        "name",
        "version",
        "timestamp_created",
        "timestamp_last_used",
        "user_group_id",
        "description",
        "data",
        "fractal_server_version",
    ]
    assert (created["name"], created["version"], created["description"]) == ("T/ü", 3, "why")
    assert (created["user_email"], created["user_group_id"], created["data"]) == (user.email, None, export)
    assert created["timestamp_created"].endswith("Z")
    assert created["timestamp_last_used"].endswith("Z")
    assert created["fractal_server_version"] == user.api.get("/api/alive/")["version"]
    user.api.patch(f"{project}workflow/{workflow}/", {"name": "other"})
    assert user.api.get(f"{TEMPLATES}{created['id']}/") == created
    assert user.api.get(f"{TEMPLATES}{created['id']}/export/") == {
        "name": "T/ü",
        "version": 3,
        "description": "why",
        "data": export,
    }


def test_a_name_and_version_is_taken_once_by_a_user(user: Person, other: Person, workflow: int, package: str) -> None:
    create(user, workflow, "it's")
    taken = {"detail": 'The current user already own a workflow template with name="it\'s" and version=1.'}
    assert create(user, workflow, "it's", status=422) == taken
    assert import_(user, package, 422, name="it's") == taken
    create(user, workflow, "it's", 2)
    assert import_(other, package, name="it's")["user_email"] == other.email


def test_what_a_template_is_made_from(user: Person, other: Person, project: str, workflow: int) -> None:
    assert create(user, 98765, "t", status=404) == {"detail": "Workflow 98765 not found."}
    assert create(user, 2**40, "t", status=404) == {"detail": f"Workflow {2**40} not found."}
    assert create(other, workflow, "t", status=403) == {"detail": NOT_AUTHORIZED}
    empty = user.api.post(f"{project}workflow/", {"name": "empty"})["id"]
    assert create(user, empty, "t", status=422) == {"detail": f"Workflow {empty} has empty `task_list`."}
    # To read the project is enough.
    user.api.post(f"{project}guest/", {"permissions": "r"}, email=other.email)
    assert create(other, workflow, "t", status=403) == {"detail": NOT_AUTHORIZED}
    other.api.post(f"{project}access/accept/", status=200)
    assert create(other, workflow, "t")["user_email"] == other.email


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"version": 1}, "missing"),
        ({"name": " ", "version": 1}, "string_too_short"),
        ({"name": "a", "version": 0}, "greater_than"),
        ({"name": "a", "version": "x"}, "int_parsing"),
        ({"name": "a", "version": 1, "description": ""}, "string_too_short"),
    ],
)
def test_bad_fields_are_refused(user: Person, body: dict[str, Any], kind: str) -> None:
    (error,) = user.api.post(TEMPLATES, body, 422, workflow_id=1)["detail"]
    assert error["type"] == kind


def test_versions_and_groups_that_cannot_be(user: Person, server: Server, workflow: int) -> None:
    too_large = create(user, workflow, "t", 2**31, status=422)
    assert too_large == {"detail": f"version={2**31} is too large: at most {2**31 - 1}."}
    zero = create(user, workflow, "t", status=422, user_group_id=0)
    assert "user_group_id=0" in zero["detail"]
    assert create(user, workflow, "t", status=404, user_group_id=98765) == {"detail": "UserGroup 98765 not found"}
    foreign = group(server)
    refused = {"detail": f"User {user.id} does not belong to UserGroup {foreign}"}
    assert create(user, workflow, "t", status=403, user_group_id=foreign) == refused
    created = create(user, workflow, "t")
    assert user.api.patch(f"{TEMPLATES}{created['id']}/", {"user_group_id": foreign}, 403) == refused
    assert "user_group_id=0" in user.api.patch(f"{TEMPLATES}{created['id']}/", {"user_group_id": 0}, 422)["detail"]
    assert user.api.get(f"{TEMPLATES}{created['id']}/") == created


def test_owners_change_group_and_description(user: Person, server: Server, workflow: int) -> None:
    shared = group(server, user)
    created = create(user, workflow, "t")
    path = f"{TEMPLATES}{created['id']}/"
    assert user.api.patch(path, {}) == created
    changed = user.api.patch(path, {"user_group_id": shared, "description": "d", "name": "x", "version": 9})
    assert changed == created | {"user_group_id": shared, "description": "d"}
    assert user.api.patch(path, {"description": None}) == created | {"user_group_id": shared}
    assert user.api.patch(path, {"user_group_id": None}) == created
    assert user.api.patch(path, {"description": " "}, 422)["detail"][0]["type"] == "string_too_short"


def test_members_of_the_group_read_and_only_owners_change(
    user: Person, other: Person, server: Server, project: str, workflow: int
) -> None:
    stranger, shared = server.person(), group(server, user, other)
    template = create(user, workflow, "t", user_group_id=shared)
    path = f"{TEMPLATES}{template['id']}/"
    owner_only = {"detail": f"You are not the owner of WorkflowTemplate[{template['id']}]."}
    unreadable = {"detail": f"You are not authorized to view WorkflowTemplate[{template['id']}]."}
    assert other.api.get(path) == template
    assert other.api.get(f"{path}export/")["name"] == "t"
    assert other.api.patch(path, {}, 403) == owner_only
    assert other.api.delete(path, 403) == owner_only
    assert stranger.api.get(path, 403) == unreadable
    assert stranger.api.get(f"{path}export/", 403) == unreadable
    assert stranger.api.patch(path, {}, 403) == owner_only
    from_template = f"{project}workflow/import-from-template/"
    assert stranger.api.post(from_template, {}, 403, template_id=template["id"]) == unreadable
    missing = {"detail": "WorkflowTemplate[98765] not found."}
    assert user.api.get(f"{TEMPLATES}98765/", 404) == missing
    assert user.api.get(f"{TEMPLATES}98765/export/", 404) == missing
    assert user.api.patch(f"{TEMPLATES}98765/", {}, 404) == missing
    assert user.api.delete(f"{TEMPLATES}98765/", 404) == missing
    assert user.api.post(from_template, {}, 404, template_id=98765) == missing
    server.admin.delete(f"/auth/group/{shared}/")
    assert other.api.get(path, 403) == unreadable
    assert user.api.get(path) == template | {"user_group_id": None}


def test_groups_of_one_name_own_ones_first(user: Person, other: Person, server: Server, package: str) -> None:
    shared = group(server, user, other)
    ids = {
        (name, version): import_(user, package, name=name, version=version)["id"]
        for name, version in (("z", 1), ("z", 3), ("z", 2), ("a", 1))
    }
    data = {"name": "w", "task_list": [item(package)]}
    body = {"name": "a", "version": 7, "data": data}
    foreign = other.api.post(f"{TEMPLATES}import/", body, user_group_id=shared)["id"]
    import_(other, package, name="private")

    def entry(person: Person, name: str, *members: tuple[int, int]) -> dict[str, Any]:
        versions = [{"template_id": template_id, "template_version": version} for template_id, version in members]
        return {"user_email": person.email, "template_name": name, "templates": versions}

    own_a = entry(user, "a", (ids["a", 1], 1))
    own_z = entry(user, "z", (ids["z", 3], 3), (ids["z", 2], 2), (ids["z", 1], 1))
    shared_a = entry(other, "a", (foreign, 7))
    emails = sorted([user.email, other.email])

    def listed(**query: Any) -> list[dict[str, Any]]:
        page = user.api.get(TEMPLATES, **query)
        assert sorted(page["email_list"]) == emails
        assert page["total_count"] == len(page["items"])
        return page["items"]

    page = user.api.get(TEMPLATES)
    assert list(page) == ["current_page", "page_size", "total_count", "items", "email_list"]
    assert page["items"] == [own_a, own_z, shared_a]
    assert (page["current_page"], page["page_size"], page["total_count"]) == (1, 3, 3)
    assert listed(is_owner=True) == [own_a, own_z]
    assert listed(user_email=other.email) == [shared_a]
    assert listed(user_email=other.email.upper()) == []
    assert listed(name="A") == [own_a, shared_a]
    assert listed(name="_") == [own_a, own_z, shared_a]
    assert listed(version=2) == [entry(user, "z", (ids["z", 2], 2))]
    assert listed(template_id=foreign) == [shared_a]
    assert listed(template_id=2**40) == listed(version=2**70) == []
    # What is false for Python filters nothing.
    assert listed(template_id=0, is_owner=False, user_email="", name="", version=0) == page["items"]
    second = user.api.get(TEMPLATES, page=2, page_size=2)
    assert (second["items"], second["page_size"], second["total_count"]) == ([shared_a], 2, 3)
    assert user.api.get(TEMPLATES, page=9, page_size=2)["items"] == []
    wrong = user.api.get(TEMPLATES, 422, page=2)["detail"]
    assert wrong.startswith("Invalid pagination parameters. Original error: '1 validation error for PaginationRequest")


def test_an_empty_list(user: Person) -> None:
    empty = {"current_page": 1, "page_size": 0, "total_count": 0, "items": [], "email_list": []}
    assert user.api.get(TEMPLATES) == empty


def test_the_caller_comes_before_the_page(anonymous: Api) -> None:
    assert anonymous.get(TEMPLATES, 401, page=0) == {"detail": "Unauthorized"}


def test_an_export_can_be_imported_again(user: Person, other: Person, workflow: int) -> None:
    template = create(user, workflow, "t")
    export = user.api.get(f"{TEMPLATES}{template['id']}/export/")
    imported = other.api.post(f"{TEMPLATES}import/", export)
    assert imported["data"] == template["data"]
    # The order of keys within arguments is as it was stored.
    assert other.api.get(f"{TEMPLATES}{imported['id']}/export/") == export


def test_what_an_import_leaves_out(user: Person, package: str) -> None:
    def given(**fields: Any) -> dict[str, Any]:
        return {"data": {"name": "w", "task_list": [fields]}}

    task = {"pkg_name": package, "version": "1", "name": package}
    bare = import_(user, package, **given(task=task))
    assert bare["data"] == {"name": "w", "description": None, "task_list": [item(package)]}
    assert user.api.get(f"{TEMPLATES}{bare['id']}/") == bare
    legacy = given(task=task, input_filters={"attributes": {}, "types": {"a": False}})
    assert import_(user, package, version=2, **legacy)["data"]["task_list"][0]["type_filters"] == {"a": False}
    unversioned = given(task=task | {"version": None})
    assert "data.task_list[0].task.version" in import_(user, package, 422, version=3, **unversioned)["detail"]
    none = {"detail": "Imported template has empty `data.task_list`."}
    assert import_(user, package, 422, version=3, data={"name": "w", "task_list": []}) == none
    (error,) = import_(user, package, 422, version=3, **given(task=task, id=1))["detail"]
    assert (error["type"], error["loc"]) == ("extra_forbidden", ["body", "data", "task_list", 0, "id"])
    # Tasks are looked for when the template is used, not before.
    unknown = given(task=task | {"pkg_name": "nowhere"})
    assert import_(user, package, version=3, **unknown)["version"] == 3


def use(person: Person, project: str, template: int, status: int = 201, **body: Any) -> Any:
    return person.api.post(f"{project}workflow/import-from-template/", body, status, template_id=template)


def test_a_workflow_from_a_template_remembers_it(user: Person, project: str, workflow: int) -> None:
    template = create(user, workflow, "t")
    taken = use(user, project, template["id"], 422)["detail"]
    assert taken.startswith("Workflow with name='w' and project_id=")
    assert user.api.get(f"{TEMPLATES}{template['id']}/") == template
    made = use(user, project, template["id"], name="from template")
    assert (made["name"], made["description"], made["template_id"]) == ("from template", "d", template["id"])
    assert [one["warning"] for one in made["task_list"]] == [None, None]
    assert made["task_list"][0]["args_parallel"] == {"a": 2, "b": 1}
    assert user.api.get(f"{project}workflow/{made['id']}/export/") == template["data"] | {"name": "from template"}
    used = user.api.get(f"{TEMPLATES}{template['id']}/")
    assert used["timestamp_last_used"] > template["timestamp_last_used"]
    assert used | {"timestamp_last_used": template["timestamp_last_used"]} == template
    user.api.delete(f"{TEMPLATES}{template['id']}/")
    assert user.api.get(f"{project}workflow/{made['id']}/")["template_id"] is None
    assert user.api.get(f"{TEMPLATES}{template['id']}/", 404)
    second = create(user, workflow, "t")["id"]
    user.api.patch(f"{project}workflow/{workflow}/", {"name": "renamed"})
    assert use(user, project, second, name=None)["name"] == "w"


def test_versions_are_overridden_by_position(user: Person, project: str, workflow: int, package: str) -> None:
    template = create(user, workflow, "t")["id"]

    def versions(name: str, override: dict[str, str]) -> list[str]:
        made = use(user, project, template, name=name, override_versions=override)
        return [one["task"]["version"] for one in made["task_list"]]

    assert versions("a", {}) == ["1", "1"]
    assert versions("b", {"-1": "2"}) == ["1", "2"]
    assert versions("c", {"0": "2"}) == ["2", "1"]
    for index in ("2", "-3", str(2**70)):
        refused = use(user, project, template, 422, name="d", override_versions={index: "2"})
        assert refused == {"detail": "Task index out of bound in `override_versions`."}
    failed = use(user, project, template, 422, name="d", override_versions={"0": "9"})
    assert failed["detail"] == "[HAS_ERROR_DATA]"
    assert [(one["outcome"], one["version"]) for one in failed["data"]] == [("fail", "9"), ("success", "1")]
    (error,) = use(user, project, template, 422, override_versions={"x": "1"})["detail"]
    assert error["type"] == "int_parsing"
    (error,) = use(user, project, template, 422, overrides={})["detail"]
    assert error["type"] == "extra_forbidden"
    assert user.api.get(f"{TEMPLATES}{template}/")["data"]["task_list"][0]["task"]["version"] == "1"


def test_others_use_a_shared_template_with_the_tasks_that_they_see(
    user: Person, other: Person, server: Server, project: str, workflow: int
) -> None:
    template = create(user, workflow, "t", user_group_id=group(server, user, other))["id"]
    theirs = f"/api/v2/project/{other.api.post('/api/v2/project/', {'name': 'q'})['id']}/"
    assert use(other, theirs, template)["template_id"] == template
    assert use(other, project, template, 403, name="x") == {"detail": NOT_AUTHORIZED}
    assert use(other, "/api/v2/project/98765/", template, 404) == {"detail": "Project not found"}


def test_reserved_arguments_do_not_come_in_through_a_template(
    user: Person, project: str, package: str, workflow: int
) -> None:
    reserved = {"name": "w", "task_list": [item(package, args_parallel={"zarr_url": "/x"})]}
    (error,) = import_(user, package, 422, data=reserved)["detail"]
    assert error["loc"] == ["body", "data", "task_list", 0, "args_parallel"]


def test_simultaneous_creations_make_one_template(user: Person, workflow: int) -> None:
    def attempt(_: int) -> int:
        api = Api(str(user.api.http.base_url))
        api.http.headers = user.api.http.headers
        answer = api.http.post(TEMPLATES, json={"name": "t", "version": 1}, params={"workflow_id": workflow})
        api.close()
        assert answer.status_code == 201 or answer.json() == {
            "detail": "The current user already own a workflow template with name='t' and version=1."
        }
        return answer.status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(attempt, range(6)))
    assert sorted(statuses) == [201, 422, 422, 422, 422, 422]
