"""api appendices B and E, §26: where each decisive check, payload and quirk is tested; those of nowhere else."""

import importlib
from typing import Any

import pytest

from tests.api import Api

from .server import Person, Server

HERE = "decisive_checks"

# Number of the check in appendix E → the tests that make it, as `module::test` of this folder.
CHECKS: dict[int, list[str]] = {
    1: ["login::a_missing_slash_is_redirected_before_anything_else"],
    2: [f"{HERE}::syntax_comes_before_the_caller_and_fields_after"],
    3: ["projects::guests_are_refused_before_their_body_is_looked_at"],
    4: ["projects::names_are_stripped_and_unique_for_their_owner"],
    5: ["sharing::a_pending_invitation_gives_no_access_anywhere"],
    6: ["sharing::changes_and_revocations_name_a_guest"],
    7: ["sharing::permissions_include_one_another"],
    8: ["datasets::the_directory_of_a_dataset", f"{HERE}::directories_are_those_of_the_caller"],
    9: ["datasets::images_outside_or_twice_are_refused"],
    10: ["datasets::a_page_beyond_the_end_is_the_last_one", "jobs::history_of_a_run"],
    11: ["datasets::filters_match_as_the_contract_says", "worked_examples::attribute_filters_compare_as_in_python"],
    12: ["datasets::filters_match_as_the_contract_says"],
    13: ["datasets::a_sibling_with_the_same_beginning_passes_as_image_and_not_as_import"],
    14: ["workflows::several_tasks_are_added_or_none"],
    15: ["workflows::several_tasks_are_added_or_none"],
    16: ["workflows::given_fields_replace_the_stored_ones"],
    17: ["workflows::tasks_are_reordered_by_a_permutation"],
    18: ["workflow_import::what_was_not_found_is_told_for_every_task"],
    19: [
        "workflow_import::an_inactive_task_is_imported_with_a_warning",
        "workflows::an_inactive_task_warns_and_cannot_be_added",
    ],
    20: [
        "templates::a_template_is_a_workflow_at_that_moment",
        "projects::names_are_stripped_and_unique_for_their_owner",
    ],
    21: ["templates::versions_are_overridden_by_position"],
    22: [
        "replace_task::newer_versions_oldest_first_for_every_task",
        "replace_task::types_only_widen_to_converters",
    ],
    23: ["replace_task::a_replaced_task_keeps_its_place_and_the_users_changes"],
    24: [
        "submission::a_viewer_with_write_permission_may_not_submit",
        "submission::indices_out_of_range_are_told_in_two_lines",
        "submission::an_inactive_task_counts_inside_the_range_only",
    ],
    25: ["jobs::while_a_job_runs"],
    26: ["jobs::while_a_job_runs"],
    27: ["latest_job::an_empty_list_fails_the_run_and_leaves_the_counts_of_earlier_ones"],
    28: ["latest_job::more_images_in_the_cache_than_the_latest_run_saw_are_no_number"],
    29: ["latest_job::logs_are_read_from_the_zip_once_the_folder_is_gone"],
    30: [
        "admin_jobs::only_a_submitted_job_can_be_declared_failed_and_nothing_else",
        "admin_jobs::a_job_declared_failed_is_stopped_and_its_late_results_do_not_count",
    ],
    31: ["collection::a_version_is_completed_and_a_package_without_manifest_leaves_nothing"],
    32: ["collection::a_version_is_completed_and_a_package_without_manifest_leaves_nothing"],
    33: [
        "taskgroups::a_group_with_environment_is_inactive_at_once_and_active_at_the_end",
        "admin_taskgroups::the_life_of_a_package_in_the_hands_of_an_administrator",
    ],
    34: ["admin_taskgroups::refusals_on_behalf_of_owners_in_their_order"],
    35: ["admin_taskgroups::refusals_on_behalf_of_owners_in_their_order"],
    36: [
        "admin_taskgroups::overrides_that_cannot_be_understood",
        "admin_taskgroups::the_life_of_a_package_in_the_hands_of_an_administrator",
    ],
    37: ["admin_taskgroups::one_group_read_and_shared"],
    38: ["admin_tasks::one_core_task_in_each_place"],
    39: ["admin_projects::a_transfer_takes_everything_from_the_old_owner"],
    40: ["taskgroups::one_group_a_version_own_then_everybodys_then_the_one_shared_longest"],
}

# Payload of appendix B → where it is compared.
PAYLOADS: dict[str, list[str]] = {
    "project": ["payloads::a_project"],
    "access, guests, invitation": ["sharing::an_invitation_is_listed_and_accepted"],
    "dataset": ["payloads::datasets_with_and_without_a_directory"],
    "images/query": ["datasets::images_keep_their_order_and_their_json_types"],
    "workflow task": ["payloads::a_workflow_task"],
    "type-filters-flow": ["workflows::type_filters_flow_and_conflict"],
    "import failure": ["workflow_import::what_was_not_found_is_told_for_every_task"],
    "template list": ["templates::groups_of_one_name_own_ones_first"],
    "task-group list": ["payloads::the_list_of_task_groups"],
    "activity": ["collection::a_version_is_completed_and_a_package_without_manifest_leaves_nothing"],
    "job submission": ["payloads::a_submitted_job"],
    "latest job": ["payloads::statuses_while_a_job_runs"],
    "history run and units": ["payloads::history_of_a_task"],
    "status/images": ["payloads::images_with_their_status"],
    "admin task": ["admin_tasks::a_task_with_all_that_use_it"],
}

# Number of the row in §26 → the tests that show it kept or fixed; none for what cannot be seen.
QUIRKS: dict[int, list[str]] = {
    1: [
        "taskgroups::who_may_read_and_who_may_share",
        "taskgroups::activities_of_ones_own",
        "datasets::images_outside_or_twice_are_refused",
        "collection::forms_that_make_no_sense",
        "integration.auth.test_default_group::memberships_cannot_be_changed",
    ],
    2: [
        "datasets::a_sibling_with_the_same_beginning_passes_as_image_and_not_as_import",
        f"{HERE}::an_import_takes_the_directory_itself_and_repetitions",
    ],
    3: ["datasets::filters_match_as_the_contract_says", f"{HERE}::a_deleted_image_is_named_as_it_is_stored"],
    4: ["sharing::a_pending_invitation_gives_no_access_anywhere"],
    5: ["sharing::a_guest_may_rename_to_a_name_that_the_owner_uses"],
    6: ["tasks::what_can_be_changed"],
    7: ["tasks::commands_are_needed_and_safe"],
    8: [
        "submission::bodies_that_are_no_submission",
        "workflow_tasks::an_order_of_null_is_no_order",
        "workflow_import::reserved_arguments_are_refused",
        "workflow_import::bad_legacy_filters_are_refused",
        "collection::a_manifest_whose_tasks_would_be_invalid_is_the_senders_mistake",
        "templates::versions_and_groups_that_cannot_be",
        "bad_input::ids_that_no_row_has",
        "bad_input::values_that_cannot_be_stored_are_refused_and_change_nothing",
        "workflow_tasks::filters_that_became_contradictory_are_told",
        "templates::what_an_import_leaves_out",
    ],
    9: [
        "bad_input::one_dataset_takes_one_submission_at_a_time",
        "bad_input::one_image_is_added_once",
        "bad_input::somebody_is_invited_once",
        "bad_input::a_task_or_template_of_one_name_and_version_is_made_once",
        "bad_input::accounts_groups_resources_are_made_once",
    ],
    10: ["taskgroups::a_group_with_environment_is_inactive_at_once_and_active_at_the_end"],
    11: [
        "taskgroups::a_group_with_environment_is_inactive_at_once_and_active_at_the_end",
        "admin_taskgroups::the_life_of_a_package_in_the_hands_of_an_administrator",
    ],
    12: ["failures::outputs_that_cannot_be_merged_leave_the_images_alone"],
    13: ["admin_jobs::a_job_declared_failed_is_stopped_and_its_late_results_do_not_count"],
    14: ["collection::a_version_is_completed_and_a_package_without_manifest_leaves_nothing"],
    15: ["collection::a_wheel_that_is_none_fails_in_its_activity"],
    16: [
        "replace_task::inactive_and_foreign_tasks_are_no_candidates",
        f"{HERE}::a_candidate_of_another_resource_is_listed_and_refused",
    ],
    17: ["workflow_tasks::which_parts_a_type_has"],
    18: ["replace_task::meta_that_was_null_is_the_new_tasks", "workflow_tasks::which_parts_a_type_has"],
    19: ["latest_job::a_compound_task_keeps_its_warnings_and_others_do_not"],
    # Here jobs of local resources can be stopped, by those who may.
    20: ["jobs::a_job_is_stopped_at_once"],
    21: ["jobs::a_job_is_stopped_at_once"],
    22: [],
    23: [f"{HERE}::a_group_with_the_same_package_twice_is_no_trap"],
    24: ["admin_taskgroups::one_group_read_and_shared"],
    25: ["pixi::what_is_sent_is_checked"],
    26: [],
}


@pytest.mark.parametrize("table", [CHECKS, PAYLOADS, QUIRKS], ids=["appendix E", "appendix B", "section 26"])
def test_every_row_has_tests_that_are_there(table: dict[Any, list[str]]) -> None:
    for row, names in table.items():
        for name in names:
            module, _, function = name.partition("::")
            path = f"tests.{module}" if "." in module else f"tests.contract.test_{module}"
            assert callable(getattr(importlib.import_module(path), f"test_{function}", None)), f"{row}: {name}"
    assert set(CHECKS) == set(range(1, 41))
    assert set(QUIRKS) == set(range(1, 27))


def test_syntax_comes_before_the_caller_and_fields_after(anonymous: Api) -> None:
    header = {"content-type": "application/json"}
    (error,) = anonymous.call("POST", "/api/v2/project/", 422, content=b"{bad", headers=header)["detail"]
    assert (error["type"], error["loc"][0], error["msg"]) == ("json_invalid", "body", "JSON decode error")
    assert anonymous.post("/api/v2/project/", {"x": 1}, 401) == {"detail": "Unauthorized"}
    assert anonymous.get("/api/v2/project/x/", 401) == {"detail": "Unauthorized"}


def test_directories_are_those_of_the_caller(server: Server, user: Person, other: Person) -> None:
    dirs = [user.project_dir, "s3://bucket/key", "s3://bucket/with/"]
    server.admin.patch(f"/auth/users/{user.id}/", {"project_dirs": dirs})
    project = user.api.post("/api/v2/project/", {"name": "p"})["id"]
    datasets = f"/api/v2/project/{project}/dataset/"
    for given, zarr_dir in (("s3://bucket/key", "s3://bucket/key/z"), ("s3://bucket/with/", "s3://bucket/with/z")):
        body = {"name": "d", "project_dir": given, "zarr_subfolder": "z"}
        assert user.api.post(datasets, body)["zarr_dir"] == zarr_dir
    for given in ("s3://bucket/key/", "s3://bucket/with", f"{user.project_dir}/sub", other.project_dir):
        refused = user.api.post(datasets, {"name": "d", "project_dir": given}, 403)
        assert refused == {"detail": f"You are not allowed to use dataset.project_dir='{given}'."}
    user.api.post(f"/api/v2/project/{project}/guest/", {"permissions": "rw"}, email=other.email)
    other.api.post(f"/api/v2/project/{project}/access/accept/", status=200)
    assert other.api.post(datasets, {"name": "d"})["zarr_dir"].startswith(f"{other.project_dir}/fractal/{project}_p/")
    assert other.api.post(datasets, {"name": "d", "project_dir": user.project_dir}, 403)


def test_an_import_takes_the_directory_itself_and_repetitions(user: Person) -> None:
    project = user.api.post("/api/v2/project/", {"name": "p"})["id"]
    zarr_dir = f"{user.project_dir}/z"
    urls = [zarr_dir, f"{zarr_dir}/a", f"{zarr_dir}/a"]
    body = {"name": "d", "zarr_dir": zarr_dir, "images": [{"zarr_url": url} for url in urls]}
    dataset = user.api.post(f"/api/v2/project/{project}/dataset/import/", body)["id"]
    page = user.api.post(f"/api/v2/project/{project}/dataset/{dataset}/images/query/", None, 200)
    assert [item["zarr_url"] for item in page["items"]] == urls


def test_a_deleted_image_is_named_as_it_is_stored(user: Person) -> None:
    project = user.api.post("/api/v2/project/", {"name": "p"})["id"]
    dataset = user.api.post(f"/api/v2/project/{project}/dataset/", {"name": "d"})
    images, url = f"/api/v2/project/{project}/dataset/{dataset['id']}/images/", f"{dataset['zarr_dir']}/a"
    user.api.post(images, {"zarr_url": f"{url}/"})
    missing = {"detail": f"No image with zarr_url '{url}/' in DatasetV2 {dataset['id']}."}
    assert user.api.delete(images, 404, zarr_url=f"{url}/") == missing
    user.api.delete(images, zarr_url=url)


def test_a_candidate_of_another_resource_is_listed_and_refused(server: Server, user: Person) -> None:
    admin, name = server.admin, f"moved {server.new_email()}"
    schema = {"command_parallel": "run", "args_schema_parallel": {"type": "object"}}

    def new_task(version: str) -> dict[str, Any]:
        return user.api.post("/api/v2/task/", {"name": name, "version": version, **schema}, private=True)

    newer = new_task("2")
    resource = admin.get("/admin/v2/resource/")[0]
    copy = {key: value for key, value in resource.items() if key not in ("id", "timestamp_created")}
    elsewhere = admin.post("/admin/v2/resource/", copy | {"name": name})["id"]
    profile = {"name": name, "resource_type": "local"}
    moved = admin.post(f"/admin/v2/resource/{elsewhere}/profile/", profile)["id"]
    admin.patch(f"/auth/users/{user.id}/", {"profile_id": moved})
    older = new_task("1")
    project = user.api.post("/api/v2/project/", {"name": "p"})["id"]
    workflow = user.api.post(f"/api/v2/project/{project}/workflow/", {"name": "w"})["id"]
    base = f"/api/v2/project/{project}/workflow/{workflow}/"
    (item,) = user.api.post(f"{base}wftask/", [{"task_id": older["id"]}])
    assert user.api.get(f"{base}version-update-candidates/") == [[{"task_id": newer["id"], "version": "2"}]]
    query = {"workflow_task_id": item["id"], "task_id": newer["id"]}
    refused = user.api.post(f"{base}wftask/replace-task/", {}, 403, **query)
    assert refused == {"detail": f"User {user.id} has no access to TaskGroup's Resource."}


def test_a_group_with_the_same_package_twice_is_no_trap(server: Server, user: Person, other: Person) -> None:
    admin, name = server.admin, f"twice {server.new_email()}"
    group = admin.post("/auth/group/", {"name": name})["id"]
    for person in (admin.get("/auth/current-user/")["id"], user.id, other.id):
        admin.post(f"/auth/group/{group}/add-user/{person}/", status=200)
    body = {"name": name, "version": "1", "command_parallel": "run"}
    for person in (user, other):
        owned = person.api.post("/api/v2/task/", body, private=True)["taskgroupv2_id"]
        admin.patch(f"/admin/v2/task-group/{owned}/", {"user_group_id": group})
    third = server.person()
    admin.post(f"/auth/group/{group}/add-user/{third.id}/", status=200)
    refused = third.api.post("/api/v2/task/", body, 422, user_group_id=group)
    assert refused == {"detail": f"UserGroup {name} already owns a task group with pkg_name='{name}' and version='1'."}
