"""Datasets, their directories, export and import."""

from ..pair import Pair


def run(pair: Pair) -> None:
    pair.call("u1", "POST", "/project/", json={"name": "With Data.sets"}, save="dp")
    pair.call("u2", "POST", "/project/", json={"name": "Elsewhere"}, save="dp2")
    base = "/project/$dp/dataset/"
    pair.call("u1", "POST", base, json={"name": " My Ds.1 "}, save="d1")
    pair.call("u1", "POST", base, json={"name": "My Ds.1"}, save="d2")
    pair.call("u1", "PATCH", base + "$d2/", json={"name": "second"})
    directory = "$shared/u1"
    bodies = [
        {},
        {"name": "d", "project_dir": "/elsewhere"},
        {"name": "d", "project_dir": "relative"},
        {"name": "d", "project_dir": "/a/../b"},
        {"name": "d", "project_dir": ""},
        {"name": "d", "project_dir": None},
        {"name": "d", "project_dir": directory + "//"},
        {"name": "d", "project_dir": directory + "-more", "zarr_subfolder": " sub//x/./y/ "},
        {"name": "d", "project_dir": directory, "zarr_subfolder": "."},
        {"name": "d", "project_dir": directory, "zarr_subfolder": "/abs"},
        {"name": "d", "project_dir": directory, "zarr_subfolder": "a/../b"},
        {"name": "d", "project_dir": directory, "zarr_subfolder": "sp ace"},
        {"name": "d", "project_dir": directory, "zarr_subfolder": "ü"},
        {"name": "d", "project_dir": directory, "zarr_subfolder": ""},
        {"name": "d", "zarr_subfolder": "x"},
        {"name": "d", "project_dir": None, "zarr_subfolder": "x"},
        {"name": "d", "zarr_dir": "/x"},
        {"name": "d/d"},
        {"name": None},
        *(
            {"name": "d", "project_dir": url}
            for url in (
                "s3://b",
                "s3://b/",
                "s3://b/k",
                "s3://bucket/k/",
                "s3://Bucket/k",
                "s3://bu..cket/k",
                "s3://192.168.0.1/k",
                "s3://xn--bucket/k",
                "s3://bucket-s3alias/k",
                "s3://bucket/" + "k" * 1025,
                "s3://bucket/a/../b",
            )
        ),
    ]
    for number, body in enumerate(bodies):
        # Names of their own: the order of equal ones is anybody's guess.
        named = body | {"name": f"d{number}"} if body.get("name") == "d" else body
        pair.call("u1", "POST", base, json=named, note=str(body)[:90])
    pair.call("u2", "POST", base, json={"name": "x"})
    pair.call("u1", "POST", "/project/98765/dataset/", json={"name": "x"})
    pair.call("guest", "POST", base, json={"name": "x"})
    pair.call("u1", "GET", base)
    pair.call("u2", "GET", base)
    pair.call("u1", "GET", base + "$d1/")
    pair.call("u1", "GET", "/project/$dp/dataset/98765/")
    pair.call("u2", "GET", "/project/$dp2/dataset/$d1/")
    for body in ({"name": "renamed"}, {"name": None}, {}, {"zarr_dir": "/x"}, {"name": ""}, {"name": "a\nb"}):
        pair.call("u1", "PATCH", base + "$d1/", json=body, note=str(body))
    pair.call("u2", "PATCH", base + "$d1/", json={"name": "x"})
    pair.call("u1", "PATCH", base + "98765/", json={"name": "x"})
    for verb in ("star", "unstar", "star"):
        pair.call("u1", "POST", f"{base}$d2/{verb}/")
        pair.call("u2", "POST", f"{base}$d2/{verb}/")
        pair.call("u1", "POST", f"{base}98765/{verb}/")
    pair.call("u1", "GET", base, note="starred first")
    imports = base + "import/"
    image = {"zarr_url": directory + "/i/a", "attributes": {"n": 1, "b": True}, "types": {"3D": "yes"}, "extra": 1}
    good = {"name": "imported", "zarr_dir": directory + "/i/", "images": [image, image], "filters": {"x": 1}}
    pair.call("u1", "POST", imports, json=good, save="d3")
    pair.call("u1", "GET", base + "$d3/export/")
    pair.call("u1", "POST", base + "$d3/images/query/", json={})
    pair.call("u1", "PATCH", base + "$d3/images/", json={"zarr_url": image["zarr_url"], "attributes": {"n": 2}})
    pair.call("u1", "POST", base + "$d3/images/query/", json={}, note="after a patch of one of two alike")
    pair.call("u1", "DELETE", base + "$d3/images/", params={"zarr_url": image["zarr_url"]})
    pair.call("u1", "POST", base + "$d3/images/query/", json={}, note="after deletion of one of two alike")
    wrong = [
        {},
        good | {"zarr_dir": "relative"},
        good | {"zarr_dir": "/elsewhere", "images": []},
        good | {"zarr_dir": directory + "/../x"},
        good | {"images": [{"zarr_url": directory + "/ixx/a"}]},
        good | {"images": [{"zarr_url": directory + "/i"}]},
        good | {"images": [{"zarr_url": "relative"}]},
        good | {"images": [{"zarr_url": directory + "/i/a", "origin": "relative"}]},
        good | {"images": [{}]},
        good | {"images": None},
        good | {"images": [{"zarr_url": directory + "/i/a", "attributes": {"x": None}}]},
        good | {"images": [{"zarr_url": directory + "/i/a", "attributes": {" ": 1}}]},
        good | {"images": [{"zarr_url": directory + "/i/a", "attributes": {"a": 1, "a ": 2}}]},
        good | {"images": [{"zarr_url": directory + "/i/a", "types": {"x": "maybe"}}]},
        good | {"zarr_dir": "s3://bucket/k", "images": []},
        good | {"name": ""},
    ]
    for body in wrong:
        pair.call("u1", "POST", imports, json=body, note=str(body)[:140])
    pair.call("u2", "POST", imports, json=good)
    pair.call("u1", "POST", "/project/98765/dataset/import/", json=good)
    pair.call("u1", "POST", base + "98765/images/", json=image)
    pair.call("u2", "GET", base + "$d3/export/")
    pair.call("u1", "GET", base + "98765/export/")
    for params in (
        {},
        {"only_owned": True},
        {"dataset_name": "IMPORT"},
        {"dataset_name": "i_p"},
        {"dataset_name": "%"},
        {"dataset_name": ""},
        {"project_name": "with data", "page_size": 2, "page": 2},
        {"page_size": 2, "page": 99},
        {"project_name": "\\"},
        {"dataset_name": "\x00"},
    ):
        pair.call("u1", "GET", "/dataset/", params=params, note=str(params))
        pair.call("u2", "GET", "/dataset/", params=params, note=str(params))
    pair.call("u2", "DELETE", base + "$d2/")
    pair.call("u1", "DELETE", base + "98765/")
    pair.call("u1", "DELETE", base + "$d2/")
    pair.call("u1", "GET", base + "$d2/")
