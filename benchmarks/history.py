"""History and status pages of a workflow task with a million units: percentiles against the budget of 100 ms.

python benchmarks/history.py [--runs 50] [--units 20000]
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from execution import Server, stack
from fractal_server.embedded import postgres
from fractal_server.embedded.home import Home

BUDGET_MS = 100.0
REPEAT = 30

FILL = """
WITH run AS (
    INSERT INTO jobs.historyrun (dataset_id, workflowtask_id, job_id, task_id, workflowtask_dump, task_group_dump,
        timestamp_started, status, num_available_images, unit_counts)
    SELECT %(dataset)s, %(wftask)s, %(job)s, %(task)s, '{"task": {"name": "no-op"}}', '{}', now(), 'done', %(units)s,
        -- the newest run is still open
        CASE WHEN run < %(runs)s THEN '{"submitted": 0, "done": 19600, "failed": 400, "warned": 200}'::jsonb END
    FROM generate_series(1, %(runs)s) AS run
    RETURNING id
)
INSERT INTO jobs.historyunit (history_run_id, logfile, has_warnings, status, zarr_urls, part, index)
SELECT run.id, '/log', unit %% 100 = 0, CASE WHEN unit %% 50 = 0 THEN 'failed' ELSE 'done' END,
       ARRAY[%(zarr_dir)s || '/' || lpad(unit::text, 6, '0') || '.zarr'], 'par', unit
FROM run, generate_series(0, %(units)s - 1) AS unit
"""

CACHE = """
INSERT INTO jobs.historyimagecache (zarr_url, dataset_id, workflowtask_id, latest_history_unit_id)
SELECT unit.zarr_urls[1], %(dataset)s, %(wftask)s, unit.id FROM jobs.historyunit AS unit
WHERE unit.history_run_id = (SELECT max(id) FROM jobs.historyrun)
"""


def fill(home: Home, values: dict[str, Any]) -> None:
    environment = postgres.environment(home, home.remembered_port("postgres"))
    with psycopg.connect(
        host=environment["POSTGRES_HOST"],
        port=environment["POSTGRES_PORT"],
        user=environment["POSTGRES_USER"],
        password=environment["POSTGRES_PASSWORD"],
        dbname=environment["POSTGRES_DB"],
    ) as connection:
        connection.execute(FILL, values)
        connection.execute(CACHE, values)
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE jobs.historyunit")
        connection.execute("VACUUM ANALYZE jobs.historyimagecache")
        connection.execute("VACUUM ANALYZE jobs.datasetimage")


def measure(name: str, call: Callable[[], Any]) -> bool:
    """Print p50 and p95 in milliseconds; whether p95 keeps the budget."""
    call()
    times: list[float] = []
    for _ in range(REPEAT):
        begun = time.perf_counter()
        call()
        times.append((time.perf_counter() - begun) * 1000)
    p95 = sorted(times)[int(0.95 * (len(times) - 1))]
    print(
        f"{name:34} p50 {statistics.median(times):7.1f} ms   p95 {p95:7.1f} ms   {p95 / BUDGET_MS:5.2f} of the budget"
    )
    return p95 <= BUDGET_MS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--units", type=int, default=20000, help="of each run, and images of the dataset")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fractal-bench-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        os.environ["FRACTAL_HOME"] = str(Path(directory) / "home")
        server = Server.up(Path(directory) / "home")
        try:
            task = server.task()
            small = server.flow(task, 1)
            server.run(small)
            job = server.call("GET", f"/project/{small[0]}/job/")[0]["id"]
            project, dataset, workflow = server.flow(task, options.units)
            (wftask,) = server.call("GET", f"/project/{project}/workflow/{workflow}/")["task_list"]
            values = {"dataset": dataset, "wftask": wftask["id"], "job": job, "task": task}
            zarr_dir = server.call("GET", f"/project/{project}/dataset/{dataset}/")["zarr_dir"]
            fill(Home(server.home), values | {"runs": options.runs, "units": options.units, "zarr_dir": zarr_dir})
            print(f"{options.runs} runs of {options.units} units")
            which = {"dataset_id": dataset, "workflowtask_id": wftask["id"]}
            status = f"/project/{project}/status"
            run = server.call("GET", f"{status}/run/", **which)[-1]["id"]
            units = f"{status}/run/{run}/units/"
            last = options.units // 100
            filters = {"attribute_filters": {"__wftask_dataset_image_status__": ["failed"]}}
            results = [
                measure("runs with counts", lambda: server.call("GET", f"{status}/run/", **which)),
                measure("units, first page", lambda: server.call("GET", units, **which, page_size=100)),
                measure("units, last page", lambda: server.call("GET", units, **which, page=last, page_size=100)),
                measure(
                    "failed units", lambda: server.call("GET", units, **which, page_size=100, unit_status="failed")
                ),
                measure(
                    "images with status", lambda: server.call("POST", f"{status}/images/", {}, **which, page_size=100)
                ),
                measure(
                    "images that failed",
                    lambda: server.call("POST", f"{status}/images/", filters, **which, page_size=100),
                ),
            ]
        finally:
            stack(server.home, "down")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
