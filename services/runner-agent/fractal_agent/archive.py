"""The zip of a job folder, complete although workers keep arguments and outputs in one file a batch."""

import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

KEEP_FOLDER_BELOW_BYTES = 1024**2


def archive_job(working_dir: Path) -> Path:
    """Write `{working_dir}.zip` in one step; then remove the folder if the zip is complete and at least 1 MiB."""
    target = working_dir.with_name(working_dir.name + ".zip")
    if not working_dir.is_dir():
        return target
    draft = working_dir.with_name(working_dir.name + "_tmp.zip")
    try:
        entries = write_zip(working_dir, draft)
    except OSError:
        draft.unlink(missing_ok=True)  # of a disk that is full, the part that was written is in the way
        raise
    draft.rename(target)
    with zipfile.ZipFile(target) as written:
        complete = len(written.namelist()) == entries
    if complete and target.stat().st_size >= KEEP_FOLDER_BELOW_BYTES:
        shutil.rmtree(working_dir)
    return target


def write_zip(working_dir: Path, target: Path) -> int:
    """Returns the number of entries. Works while the job runs; a missing folder gives an empty zip."""
    entries = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _files(working_dir):
            archive.write(path, path.relative_to(working_dir))
            entries += 1
        for name, text in _documents(working_dir):
            archive.writestr(name, text)
            entries += 1
    return entries


def _files(working_dir: Path) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(working_dir):
        if Path(folder) == working_dir and ".fractal" in subfolders:
            subfolders.remove(".fractal")
        subfolders.sort()
        for name in sorted(names):
            yield Path(folder, name)


def _documents(working_dir: Path) -> Iterator[tuple[str, str]]:
    """Arguments and outputs of every unit, under the names that people know."""
    for results in sorted((working_dir / ".fractal").glob("*/results.jsonl")):
        spec = json.loads((results.parent / "spec.json").read_text())
        folder = Path(spec["folder"]).name
        names = {unit["index"]: unit["name"] for unit in spec["units"]}
        with results.open("rb") as stream:
            for line in stream:
                if not line.endswith(b"\n"):
                    break
                result = json.loads(line)
                prefix = f"{folder}/{names[result['index']]}"
                yield f"{prefix}-args.json", json.dumps(result["args"])
                if result["output"] is not None:
                    yield f"{prefix}-metadiff.json", json.dumps(result["output"])
