"""api §8–§10: datasets, images, filters."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .server import Person


@pytest.fixture
def dataset(user: Person) -> dict[str, Any]:
    project = user.api.post("/api/v2/project/", {"name": "My Project"})["id"]
    return user.api.post(f"/api/v2/project/{project}/dataset/", {"name": "My Data-Set"})


def path(dataset: dict[str, Any], rest: str = "") -> str:
    return f"/api/v2/project/{dataset['project_id']}/dataset/{dataset['id']}/{rest}"


def image(dataset: dict[str, Any], name: str, **fields: Any) -> dict[str, Any]:
    return {"zarr_url": f"{dataset['zarr_dir']}/{name}", "origin": None, "attributes": {}, "types": {}} | fields


def fill(user: Person, dataset: dict[str, Any], images: list[dict[str, Any]]) -> None:
    for one in images:
        assert user.api.post(path(dataset, "images/"), one) is None


def query(user: Person, dataset: dict[str, Any], body: dict[str, Any] | None = None, **page: int) -> dict[str, Any]:
    return user.api.post(path(dataset, "images/query/"), body, 200, **page)


def names(page: dict[str, Any]) -> list[str]:
    return [item["zarr_url"].rpartition("/")[2] for item in page["items"]]


def test_the_directory_of_a_dataset(user: Person, dataset: dict[str, Any]) -> None:
    assert list(dataset) == ["id", "name", "project_id", "project", "timestamp_created", "zarr_dir", "is_starred"]
    folder = f"fractal/{dataset['project_id']}_my_project/{dataset['id']}_my_data_set"
    assert dataset["zarr_dir"] == f"{user.project_dir}/{folder}"
    datasets = f"/api/v2/project/{dataset['project_id']}/dataset/"
    given = {"name": "d", "project_dir": f"{user.project_dir}/", "zarr_subfolder": "a//b/"}
    assert user.api.post(datasets, given)["zarr_dir"] == f"{user.project_dir}/a/b"
    foreign = {"name": "d", "project_dir": "/foreign"}
    assert user.api.post(datasets, foreign, 403) == {
        "detail": "You are not allowed to use dataset.project_dir='/foreign'."
    }
    (item,) = user.api.post(datasets, {"name": "d", "zarr_subfolder": "a"}, 422)["detail"]
    assert "Cannot provide `zarr_subfolder` without `project_dir`" in item["msg"]
    (item,) = user.api.post(datasets, {"name": "d", "zarr_dir": "/x"}, 422)["detail"]
    assert item["type"] == "extra_forbidden"


def test_datasets_starred_first_then_by_name(user: Person, dataset: dict[str, Any]) -> None:
    datasets = f"/api/v2/project/{dataset['project_id']}/dataset/"
    for name in ("b", "a"):
        user.api.post(datasets, {"name": name})
    # Where capital letters sort is the database's affair.
    assert [one["name"] for one in user.api.get(datasets) if one["id"] != dataset["id"]] == ["a", "b"]
    assert user.api.patch(path(dataset), {"name": "zz"})["zarr_dir"] == dataset["zarr_dir"]
    user.api.post(path(dataset, "star/"), status=200)
    assert [one["name"] for one in user.api.get(datasets)] == ["zz", "a", "b"]
    page = user.api.get("/api/v2/dataset/", dataset_name="ZZ", page_size=1)
    assert (page["total_count"], page["items"][0]["image_count"], page["items"][0]["owner_email"]) == (1, 0, user.email)
    user.api.delete(path(dataset))
    assert user.api.get(path(dataset), 404) == {"detail": "Dataset not found"}


def test_images_keep_their_order_and_their_json_types(user: Person, dataset: dict[str, Any]) -> None:
    images = [
        image(dataset, "b", attributes={"n": 1, "f": 1.5, "t": True, "s": "x"}, types={"3D": True}),
        image(dataset, "a", attributes={"n": 2}, types={"3D": False}, origin="/elsewhere"),
    ]
    fill(user, dataset, images)
    page = query(user, dataset)
    assert list(page) == ["current_page", "page_size", "total_count", "items", "attributes", "types"]
    assert (page["items"], page["page_size"], page["total_count"]) == (images, 2, 2)
    assert page["items"][0]["attributes"]["t"] is True
    assert page["attributes"] == {"n": [1, 2], "f": [1.5], "t": [True], "s": ["x"]}
    assert page["types"] == ["3D"]


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        ("/outside/x", "Cannot create image with zarr_url which is not relative to {zarr_dir}."),
        ("{zarr_dir}", "`SingleImage.zarr_url` cannot be equal to `Dataset.zarr_dir`: {zarr_dir}"),
        ("{zarr_dir}/there/", ["Image with zarr_url '{zarr_dir}/there' already in DatasetV2 {id}"]),
    ],
)
def test_images_outside_or_twice_are_refused(
    user: Person, dataset: dict[str, Any], url: str, detail: str | list[str]
) -> None:
    fill(user, dataset, [image(dataset, "there")])
    body = {"zarr_url": url.format(**dataset)}
    expected = [text.format(**dataset) for text in detail] if isinstance(detail, list) else detail.format(**dataset)
    assert user.api.post(path(dataset, "images/"), body, 422) == {"detail": expected}
    assert query(user, dataset)["total_count"] == 1


def test_a_sibling_with_the_same_beginning_passes_as_image_and_not_as_import(
    user: Person, dataset: dict[str, Any]
) -> None:
    sibling = f"{dataset['zarr_dir']}xx/im"
    fill(user, dataset, [{"zarr_url": sibling}])
    body = {"name": "i", "zarr_dir": dataset["zarr_dir"], "images": [{"zarr_url": sibling}]}
    (item,) = user.api.post(f"/api/v2/project/{dataset['project_id']}/dataset/import/", body, 422)["detail"]
    assert f"image.zarr_url='{sibling}' is not relative to self.zarr_dir='{dataset['zarr_dir']}'." in item["msg"]


def test_filters_match_as_the_contract_says(user: Person, dataset: dict[str, Any]) -> None:
    fill(
        user,
        dataset,
        [
            image(dataset, "int", attributes={"a": 1}, types={"3D": True}),
            image(dataset, "bool", attributes={"a": True}, types={"3D": False}),
            image(dataset, "text", attributes={"a": "1"}),
            image(dataset, "none"),
        ],
    )
    assert names(query(user, dataset, {"attribute_filters": {"a": [1.0]}})) == ["int", "bool"]
    assert names(query(user, dataset, {"attribute_filters": {"a": ["1"]}})) == ["text"]
    assert names(query(user, dataset, {"type_filters": {"3D": False}})) == ["bool", "text", "none"]
    assert names(query(user, dataset, {"type_filters": {"3D": "true"}})) == ["int"]
    assert names(query(user, dataset, {"zarr_url": f"{dataset['zarr_dir']}/int/"})) == []
    (item,) = user.api.post(path(dataset, "images/query/"), {"attribute_filters": {"a": []}}, 422)["detail"]
    assert item["msg"] == "Value error, attribute_filters[a] cannot be an empty list."
    (item,) = user.api.post(path(dataset, "images/query/"), {"attribute_filters": {"a": [1, "x"]}}, 422)["detail"]
    assert item["msg"] == "Value error, attribute_filters[a] has values with non-homogeneous types: [1, 'x']."


def test_a_page_beyond_the_end_is_the_last_one(user: Person, dataset: dict[str, Any]) -> None:
    fill(user, dataset, [image(dataset, str(number)) for number in range(5)])
    page = query(user, dataset, None, page=9, page_size=2)
    assert (page["current_page"], page["total_count"], names(page)) == (3, 5, ["4"])
    answer = user.api.post(path(dataset, "images/query/"), None, 422, page=2)
    assert answer["detail"].startswith("Invalid pagination parameters. Original error: '1 validation error for ")
    assert "page_size is None but page=2 is greater than 1." in answer["detail"]


def test_images_are_replaced_and_removed(user: Person, dataset: dict[str, Any]) -> None:
    fill(user, dataset, [image(dataset, "a", attributes={"x": 1}, types={"t": True})])
    url = f"{dataset['zarr_dir']}/a"
    changed = user.api.patch(path(dataset, "images/"), {"zarr_url": url + "/", "attributes": {"y": 2}})
    assert changed == image(dataset, "a", attributes={"y": 2}, types={"t": True})
    missing = {"detail": f"No image with zarr_url '{url}x' in DatasetV2 {dataset['id']}."}
    assert user.api.patch(path(dataset, "images/"), {"zarr_url": f"{url}x"}, 404) == missing
    assert user.api.delete(path(dataset, "images/"), 404, zarr_url=f"{url}x") == missing
    user.api.delete(path(dataset, "images/"), zarr_url=url)
    assert query(user, dataset)["items"] == []


def test_export_and_import_are_each_others_opposite(user: Person, dataset: dict[str, Any]) -> None:
    fill(user, dataset, [image(dataset, name, attributes={"n": name}) for name in "ba"])
    exported = user.api.get(path(dataset, "export/"))
    assert list(exported) == ["name", "zarr_dir", "images"]
    imports = f"/api/v2/project/{dataset['project_id']}/dataset/import/"
    copy = user.api.post(imports, exported | {"filters": {}})
    assert user.api.get(path(copy, "export/")) == exported
    answer = user.api.post(imports, {"name": "x", "zarr_dir": "/foreign"}, 422)
    assert answer == {"detail": "dataset.zarr_dir='/foreign' is not relative to any of user's project dirs."}


def test_concurrent_writers_lose_nothing(user: Person, dataset: dict[str, Any]) -> None:
    def post(number: int) -> None:
        user.api.post(path(dataset, "images/"), image(dataset, f"{number:03}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(post, range(80)))
    assert sorted(names(query(user, dataset))) == [f"{number:03}" for number in range(80)]
