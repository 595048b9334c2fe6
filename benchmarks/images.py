"""Image lists of a hundred thousand: import, pages, filters, single writes, and what they cost the other lists.

python benchmarks/images.py [--images 100000]
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from execution import Server, stack

QUERY_BUDGET_MS = 50.0
IMPORT_BUDGET_S = 5.0
POST_BUDGET_MS = 15.0
LIST_RATIO_BUDGET = 1.5
REPEAT = 40
WELLS = [f"{row}{column:02}" for row in "ABCDEFGHIJKLMNOP" for column in range(1, 25)]


def image(zarr_dir: str, number: int) -> dict[str, Any]:
    """As microscopes make them: a few attributes with few values."""
    well = WELLS[number % len(WELLS)]
    return {
        "zarr_url": f"{zarr_dir}/plate.zarr/{well[0]}/{well[1:]}/{number}",
        "attributes": {"plate": "plate.zarr", "well": well, "acquisition": number % 4, "time": number % 25 / 2},
        "types": {"is_3D": number % 2 == 0, "illumination_corrected": number % 10 == 0},
    }


def imported(server: Server, project: int, images: int) -> tuple[int, float]:
    """The dataset, and the seconds of its import."""
    zarr_dir = str(server.home / "projects" / "admin" / f"{images} {time.monotonic_ns()}")
    body = {"name": "d", "zarr_dir": zarr_dir, "images": [image(zarr_dir, number) for number in range(images)]}
    begun = time.perf_counter()
    dataset = server.call("POST", f"/project/{project}/dataset/import/", body)["id"]
    return dataset, time.perf_counter() - begun


def milliseconds(call: Callable[[], Any]) -> list[float]:
    call()
    times: list[float] = []
    for _ in range(REPEAT):
        begun = time.perf_counter()
        call()
        times.append((time.perf_counter() - begun) * 1000)
    return sorted(times)


class Report:
    def __init__(self) -> None:
        self.missed = False

    def measure(self, name: str, call: Callable[[], Any], budget_ms: float) -> float:
        """Prints p50 and p95; returns p50."""
        times = milliseconds(call)
        p95 = times[int(0.95 * (len(times) - 1))]
        self.figure(f"{name:38} p50 {statistics.median(times):7.1f} ms   p95 {p95:7.1f} ms", p95, budget_ms, "ms")
        return statistics.median(times)

    def figure(self, text: str, value: float, budget: float, unit: str) -> None:
        self.missed |= value > budget
        print(f"{text}   (budget {budget:g} {unit}){'  MISSED' if value > budget else ''}", flush=True)


def pages(server: Server, base: str, images: int, report: Report) -> None:
    def query(body: dict[str, Any] | None = None, page: int = 1) -> Callable[[], Any]:
        return lambda: server.call("POST", f"{base}/images/query/", body, page=page, page_size=100)

    well = {"attribute_filters": {"well": ["A01", "B02"]}}
    both = {"attribute_filters": {"well": ["A01"], "acquisition": [0]}, "type_filters": {"is_3D": True}}
    for name, call in (
        ("first page", query()),
        ("middle page", query(page=images // 200)),
        ("last page", query(page=images // 100)),
        ("one type", query({"type_filters": {"illumination_corrected": True}})),
        ("two wells", query(well)),
        ("well, acquisition and type", query(both)),
        ("nothing matches", query({"attribute_filters": {"well": ["Z99"]}})),
    ):
        report.measure(f"{images} images, {name}", call, QUERY_BUDGET_MS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    options = parser.parse_args()
    report = Report()
    numbers = count(10**6)
    with tempfile.TemporaryDirectory(prefix="fractal-bench-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        home = Path(directory) / "home"
        try:
            server = Server.up(home)
            project = server.call("POST", "/project/", {"name": "images"})["id"]
            imported(server, project, 10)
            datasets = f"/project/{project}/dataset"
            lists = {
                "datasets of the project": lambda: server.call("GET", f"{datasets}/"),
                "all datasets, with counts": lambda: server.call("GET", "/dataset/", page_size=10),
                "projects": lambda: server.call("GET", "/project/"),
            }
            before = {name: statistics.median(milliseconds(call)) for name, call in lists.items()}
            dataset, seconds = imported(server, project, options.images)
            report.figure(f"{options.images} images, import {seconds:6.2f} s", seconds, IMPORT_BUDGET_S, "s")
            pages(server, f"{datasets}/{dataset}", options.images, report)
            for name, call in lists.items():
                ratio = statistics.median(milliseconds(call)) / before[name]
                report.figure(f"{name}: {ratio:4.2f} of the time without", ratio, LIST_RATIO_BUDGET, "")
            small, _ = imported(server, project, 10_000)
            for name, written in (("10000", small), (str(options.images), dataset)):
                zarr_dir = server.call("GET", f"{datasets}/{written}/")["zarr_dir"]
                post = f"{datasets}/{written}/images/"

                def write(post: str = post, zarr_dir: str = zarr_dir) -> None:
                    server.call("POST", post, image(zarr_dir, next(numbers)))

                def write_and_read(post: str = post, write: Callable[[], None] = write) -> None:
                    write()
                    server.call("POST", f"{post}query/", None, page_size=100)

                report.measure(f"one image into {name}", write, POST_BUDGET_MS)
                report.measure(f"one image into {name}, then a page", write_and_read, QUERY_BUDGET_MS)
        finally:
            stack(home, "down")
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
