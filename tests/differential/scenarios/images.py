"""Image lists: writing, filters, pages."""

from ..pair import Pair

FILTERS = [
    {},
    None,
    {"zarr_url": "$zd/b"},
    {"zarr_url": "$zd/b/"},
    {"zarr_url": None},
    {"zarr_url": 3},
    {"type_filters": {"3D": True}},
    {"type_filters": {"3D": False}},
    {"type_filters": {"3D": "false", "x": 1}},
    {"type_filters": {" 3D ": True}},
    {"type_filters": {"3D": None}},
    {"type_filters": None},
    {"type_filters": {"": True}},
    {"type_filters": []},
    {"attribute_filters": {"n": [1]}},
    {"attribute_filters": {"n": [1.0]}},
    {"attribute_filters": {"n": [True]}},
    {"attribute_filters": {"n": [0]}},
    {"attribute_filters": {"n": [False]}},
    {"attribute_filters": {"n": [1.5, 2.5]}},
    {"attribute_filters": {"n": ["1"]}},
    {"attribute_filters": {"n": [1, 1.0]}},
    {"attribute_filters": {"n": [1, True]}},
    {"attribute_filters": {"n": []}},
    {"attribute_filters": {"n": None}},
    {"attribute_filters": {"n": [None]}},
    {"attribute_filters": {"n": [[1]]}},
    {"attribute_filters": {"n": 1}},
    {"attribute_filters": {"missing": ["x"]}},
    {"attribute_filters": {"s": ["x", "y"], "n": [2]}},
    {"attribute_filters": {"big": [10000000000000000000000]}},
    {"attribute_filters": {"big": [9007199254740993]}},
    {"attribute_filters": {"big": [9007199254740992.0]}},
    {"attribute_filters": {"s": ["\x00"]}},
    {"type_filters": {"\x00": True}},
    {"unknown": 1},
    {"attribute_filters": {"s": ["x"]}, "type_filters": {"3D": True}},
    {"attribute_filters": {"quote'": ['"']}},
]


def run(pair: Pair) -> None:
    pair.call("u1", "POST", "/project/", json={"name": "Images"}, save="ip")
    pair.call("u1", "POST", "/project/$ip/dataset/", json={"name": "images"}, save="id")
    base = "/project/$ip/dataset/$id/images/"
    pair.pick("u1", "/project/$ip/dataset/$id/", "zd", lambda body: body["zarr_dir"])
    pair.call("u1", "POST", base + "query/", note="empty")
    pair.call("u1", "POST", base + "query/", params={"page": 3, "page_size": 2}, note="empty, page 3")
    images = [
        {"zarr_url": "$zd/c", "attributes": {"n": 1, "s": "x"}, "types": {"3D": True}},
        {"zarr_url": " $zd//b/ ", "origin": "$zd/c/", "attributes": {"n": 1.0, "s": "y"}, "types": {"3D": False}},
        {"zarr_url": "$zd/a", "attributes": {"n": True, " spaced ": 1}, "types": {"x": "yes"}},
        {"zarr_url": "$zd/d", "attributes": {"n": 0, "big": 9007199254740993}},
        {"zarr_url": "$zd/e", "attributes": {"n": False, "quote'": '"'}},
        {"zarr_url": "$zd/f", "attributes": {"n": "1", "f": 1.5, "big": 10000000000000000000000}},
        {"zarr_url": "$zd/g", "attributes": {"n": 2.5}, "types": {"3D": 0, "x": 1}, "extra": True},
        {"zarr_url": "$zd/h", "attributes": {"n": 1e300, "f": 1e-7, "s": "ü"}},
        {"zarr_url": "${zd}xx/i", "origin": None},
    ]
    for image in images:
        pair.call("u1", "POST", base, json=image, note=str(image)[:60])
    wrong = [
        {},
        {"zarr_url": "/outside"},
        {"zarr_url": "$zd"},
        {"zarr_url": "$zd/"},
        {"zarr_url": "$zd/a"},
        {"zarr_url": "$zd/a/"},
        {"zarr_url": "relative"},
        {"zarr_url": "$zd/../x"},
        {"zarr_url": ""},
        {"zarr_url": None},
        {"zarr_url": "s3://bucket/x"},
        {"zarr_url": "$zd/z", "origin": "relative"},
        {"zarr_url": "$zd/z", "origin": ""},
        {"zarr_url": "$zd/z", "attributes": None},
        {"zarr_url": "$zd/z", "attributes": {"a": None}},
        {"zarr_url": "$zd/z", "attributes": {"a": [1]}},
        {"zarr_url": "$zd/z", "attributes": {"a": {"b": 1}}},
        {"zarr_url": "$zd/z", "attributes": {"": 1}},
        {"zarr_url": "$zd/z", "attributes": {"a": 1, " a": 1}},
        {"zarr_url": "$zd/z", "types": {"t": "maybe"}},
        {"zarr_url": "$zd/z", "types": None},
        {"zarr_url": "$zd/z", "types": []},
        {"zarr_url": "$zd/\x00"},
        {"zarr_url": "$zd/z", "attributes": {"a": "\x00"}},
    ]
    for image in wrong:
        pair.call("u1", "POST", base, json=image, note=repr(image)[:80])
    for who in ("u2", "guest", "nobody"):
        pair.call(who, "POST", base, json={"zarr_url": "$zd/z"})
        pair.call(who, "PATCH", base, json={"zarr_url": "$zd/a"})
        pair.call(who, "DELETE", base, params={"zarr_url": "$zd/a"})
        pair.call(who, "POST", base + "query/")
    for filters in FILTERS:
        pair.call("u1", "POST", base + "query/", json=filters, note=repr(filters))
    for params in (
        {"page": 1, "page_size": 4},
        {"page": 2, "page_size": 4},
        {"page": 3, "page_size": 4},
        {"page": 99, "page_size": 4},
        {"page": 2},
        {"page_size": 0},
        {"page": 2, "page_size": 99999999999},
        {"page": 99999999999, "page_size": 99999999999},
    ):
        pair.call("u1", "POST", base + "query/", params=params, note=str(params))
        pair.call("nobody", "POST", base + "query/", params=params, note=str(params))
        filters = {"type_filters": {"nothing": True}}
        pair.call("u1", "POST", base + "query/", params=params, json=filters, note=f"{params} nothing")
    pair.call("u1", "POST", "/project/$ip/dataset/98765/images/query/")
    pair.call("u1", "POST", "/project/98765/dataset/98765/images/query/")
    patches = [
        {"zarr_url": "$zd/b/", "attributes": {"new": 1}},
        {"zarr_url": "$zd/b", "types": {"t": True}},
        {"zarr_url": "$zd/b", "types": None},
        {"zarr_url": "$zd/b", "attributes": None},
        {"zarr_url": "$zd/b", "attributes": {}},
        {"zarr_url": "$zd/b", "attributes": {"a": None}},
        {"zarr_url": "$zd/b", "types": {}},
        {"zarr_url": "$zd/b"},
        {"zarr_url": "$zd/b", "origin": "/x"},
        {"zarr_url": "$zd/missing"},
        {"zarr_url": "relative"},
        {},
    ]
    for patch in patches:
        pair.call("u1", "PATCH", base, json=patch, note=repr(patch))
    pair.call("u1", "POST", base + "query/", note="after patches")
    for url in ("$zd/b/", "$zd/missing", "", "$zd/b", "$zd/b", "\x00"):
        pair.call("u1", "DELETE", base, params={"zarr_url": url}, note=repr(url))
    pair.call("u1", "DELETE", base)
    pair.call("u1", "POST", base, json={"zarr_url": "$zd/b"}, note="again, at the end")
    pair.call("u1", "POST", base + "query/", note="after deletions")
    pair.call("u1", "GET", "/project/$ip/dataset/$id/export/")
    pair.call("u1", "GET", "/dataset/", params={"dataset_name": "images"})
