"""Tasks that print or return far too much fail with a message, and nobody's memory grows with them."""

import json
from pathlib import Path

import pytest

from .stack import Stack, Step

MEMORY_LIMIT_MB = 250

PRINT_A_GIGABYTE = """\
import sys
block = "x" * (1 << 20)
for _ in range(1024):
    sys.stdout.write(block)
sys.exit(3)
"""

RETURN_FIFTY_MEGABYTES = """\
import sys
with open(sys.argv[sys.argv.index("--out-json") + 1], "w") as out:
    out.write('{"image_list_updates": [], "comment": "' + "x" * (50 << 20) + '"}')
"""

RETURN_MANY_IMAGES = """\
import json, sys
args = json.load(open(sys.argv[sys.argv.index("--args-json") + 1]))
images = [{"zarr_url": f"{args['zarr_dir']}/{n:06}", "attributes": {"n": n}} for n in range(50000)]
json.dump({"image_list_updates": images}, open(sys.argv[sys.argv.index("--out-json") + 1], "w"))
"""


def peak_mb(stack: Stack, name: str) -> float:
    lines = Path(f"/proc/{stack.processes[name].pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (PRINT_A_GIGABYTE, "Cannot display stderr of length 1073741824."),
        (RETURN_FIFTY_MEGABYTES, "at most 20971520 are accepted."),
    ],
    ids=["1 GB of log", "50 MB of output"],
)
async def test_too_much_is_said_to_be_too_much(stack: Stack, script: str, text: str) -> None:
    (stack.root / "puppet.py").write_text(script)
    job_id = await stack.submit([Step("parallel")], [{"zarr_url": f"{stack.zarr_dir}/1"}])
    job = await stack.finished(job_id, 120)
    assert job.status == "failed"
    assert text in (job.log or "")
    assert len(job.log or "") < 2000
    for name in ("engine", "agent"):
        assert peak_mb(stack, name) < MEMORY_LIMIT_MB


async def test_fifty_thousand_new_images_are_not_too_much(stack: Stack) -> None:
    (stack.root / "puppet.py").write_text(RETURN_MANY_IMAGES)
    job_id = await stack.submit([Step("converter_non_parallel")], [])
    job = await stack.finished(job_id, 120)
    assert job.status == "done", job.log
    images = await stack.images(job)
    assert [image[2] for image in images] == [{"n": n} for n in range(50000)]
    assert json.dumps(images[0]) == json.dumps([f"{stack.zarr_dir}/000000", None, {"n": 0}, {}])
