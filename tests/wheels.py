"""A small task package, as a wheel."""

import json
import zipfile
from pathlib import Path

TASK = """\
import json, sys
from {package} import GREETING
args = json.load(open(sys.argv[sys.argv.index("--args-json") + 1]))
open(args["marks"], "a").write(args["zarr_url"] + "\\n")
print(GREETING, args["zarr_url"])
"""


def make_wheel(folder: Path, name: str, version: str = "1.0.0", requires: str | None = None) -> Path:
    """A package with one parallel task, `Greet`; `requires` is a requirement of it."""
    package = name.replace("-", "_")
    manifest = {
        "manifest_version": "2",
        "has_args_schemas": False,
        "authors": "The testers",
        "task_list": [{"name": "Greet", "type": "parallel", "executable_parallel": "greet.py", "tags": ["test"]}],
    }
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    if requires:
        metadata += f"Requires-Dist: {requires}\n"
    files = {
        f"{package}/__init__.py": f'GREETING = "greetings from {version}"\n',
        f"{package}/greet.py": TASK.format(package=package),
        f"{package}/__FRACTAL_MANIFEST__.json": json.dumps(manifest),
        f"{package}-{version}.dist-info/METADATA": metadata,
        f"{package}-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{package}-{version}.dist-info/RECORD"
    files[record] = "".join(f"{path},,\n" for path in [*files, record])
    wheel = folder / f"{package}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel
