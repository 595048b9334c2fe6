"""api §9, §10 beyond one request: what pages show of a whole list, many writers at once, jobs that write meanwhile."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .server import Person, Server

WRITERS = 8


@pytest.fixture
def dataset(user: Person) -> dict[str, Any]:
    project = user.api.post("/api/v2/project/", {"name": "images"})["id"]
    return user.api.post(f"/api/v2/project/{project}/dataset/", {"name": "d"})


def images(dataset: dict[str, Any]) -> str:
    return f"/api/v2/project/{dataset['project_id']}/dataset/{dataset['id']}/images/"


def query(user: Person, dataset: dict[str, Any], body: dict[str, Any] | None = None, **page: int) -> dict[str, Any]:
    return user.api.post(f"{images(dataset)}query/", body, 200, **page)


def add(user: Person, dataset: dict[str, Any], name: str, **fields: Any) -> None:
    user.api.post(images(dataset), {"zarr_url": f"{dataset['zarr_dir']}/{name}", **fields})


def test_values_of_attributes_and_names_of_types_follow_every_change(user: Person, dataset: dict[str, Any]) -> None:
    assert (query(user, dataset)["attributes"], query(user, dataset)["types"]) == ({}, [])
    add(user, dataset, "a", attributes={"n": 2, "s": "x"}, types={"t": True})
    assert (query(user, dataset)["attributes"], query(user, dataset)["types"]) == ({"n": [2], "s": ["x"]}, ["t"])
    add(user, dataset, "b", attributes={"n": 1.0}, types={"u": False})
    add(user, dataset, "c", attributes={"n": True})
    page = query(user, dataset, {"attribute_filters": {"s": ["x"]}})
    assert (page["total_count"], page["attributes"]["n"], page["types"]) == (1, [1.0, 2], ["t", "u"])
    user.api.patch(images(dataset), {"zarr_url": f"{dataset['zarr_dir']}/a", "attributes": {}, "types": {}})
    assert (query(user, dataset)["attributes"], query(user, dataset)["types"]) == ({"n": [1.0]}, ["u"])
    user.api.delete(images(dataset), zarr_url=f"{dataset['zarr_dir']}/b")
    assert (query(user, dataset)["attributes"], query(user, dataset)["types"]) == ({"n": [True]}, [])
    listed = user.api.get("/api/v2/dataset/")["items"]
    assert [one["image_count"] for one in listed] == [2]


def test_a_url_that_an_import_repeats_is_changed_and_removed_once(user: Person, dataset: dict[str, Any]) -> None:
    one = {"zarr_url": f"{dataset['zarr_dir']}/a", "attributes": {"n": 1}}
    body = {"name": "twice", "zarr_dir": dataset["zarr_dir"], "images": [one, one]}
    twice = user.api.post(f"/api/v2/project/{dataset['project_id']}/dataset/import/", body)
    user.api.patch(images(twice), {"zarr_url": one["zarr_url"], "attributes": {"n": 2}})
    assert [item["attributes"]["n"] for item in query(user, twice)["items"]] == [2, 1]
    user.api.delete(images(twice), zarr_url=one["zarr_url"])
    assert [item["attributes"]["n"] for item in query(user, twice)["items"]] == [1]


def test_counts_of_filters_are_those_of_their_pages(user: Person, dataset: dict[str, Any]) -> None:
    for number in range(12):
        types = {"3D": number % 2 == 0} if number % 3 else {}
        add(user, dataset, str(number), attributes={"n": number % 4, "s": str(number % 2)}, types=types)
    for body in (
        {"type_filters": {"3D": True}},
        {"type_filters": {"3D": False}},
        {"type_filters": {"3D": True, "missing": False}},
        {"type_filters": {"missing": True}},
        {"attribute_filters": {"n": [1, 3]}},
        {"attribute_filters": {"n": [1], "s": ["1"]}, "type_filters": {"3D": False}},
        {"attribute_filters": {"s": ["0", "1"]}},
    ):
        whole = query(user, dataset, body)
        assert whole["total_count"] == len(whole["items"]) == whole["page_size"], body
        paged = query(user, dataset, body, page=1, page_size=2)
        assert (paged["total_count"], paged["items"]) == (whole["total_count"], whole["items"][:2])


def test_readers_between_many_writers_never_keep_an_old_count(user: Person, dataset: dict[str, Any]) -> None:
    over = threading.Event()
    counts: list[int] = []

    def read() -> None:
        while not over.is_set():
            page = query(user, dataset, page=1, page_size=1)
            assert len(page["attributes"].get("n", [])) == page["total_count"]
            counts.append(page["total_count"])

    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda number: add(user, dataset, f"{number:03}", attributes={"n": number}), range(80)))
    over.set()
    reader.join()
    assert counts == sorted(counts)
    final = query(user, dataset)
    assert (final["total_count"], final["attributes"]["n"]) == (80, list(range(80)))


def test_images_posted_while_a_job_writes_the_same_list_are_all_kept(server: Server, user: Person) -> None:
    task = user.api.puppet_task(server.folder, f"puppet {server.new_email()}")
    user.api.patch(f"/api/v2/task/{task}/", {"output_types": {"done": True}})
    project, dataset_id, workflow = user.api.prepared(server.folder, task, images=10, sleep=0.1)
    base = f"/api/v2/project/{project}/"
    wftask = user.api.get(f"{base}workflow/{workflow}/")["task_list"][0]
    again = {key: wftask[key] for key in ("task_id", "args_parallel")}
    user.api.post(f"{base}workflow/{workflow}/wftask/", [again] * 3)
    dataset = user.api.get(f"{base}dataset/{dataset_id}/")
    path = f"{base}job/submit/"
    job = user.api.post(path, {}, 202, workflow_id=workflow, dataset_id=dataset_id)["id"]
    posted = 0
    with ThreadPoolExecutor(WRITERS) as pool:
        while user.api.get(f"{base}job/{job}/")["status"] == "submitted":
            numbers = range(posted, posted + WRITERS)
            list(pool.map(lambda number: add(user, dataset, f"new{number}", attributes={"n": number}), numbers))
            posted += WRITERS
    assert user.api.finished(project, job)["status"] == "done"
    assert posted > WRITERS
    page = query(user, dataset)
    names = {item["zarr_url"].rpartition("/")[2]: item for item in page["items"]}
    assert {f"new{number}" for number in range(posted)} <= names.keys()
    assert page["total_count"] == posted + 10
    assert all(names[f"{number:04}.zarr"]["types"] == {"done": True} for number in range(10))
