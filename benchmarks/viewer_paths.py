"""What a data viewer asks before every file: the paths that a user may see, against the budget of 10 ms.

python benchmarks/viewer_paths.py [--projects 1000] [--datasets 10]

Two users of the same database: one reaches every dataset, one those of twenty projects. Below them, for the machine's
own speed at that moment, a request that reads nothing but the user.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from execution import Server, stack
from fractal_server.embedded import postgres
from fractal_server.embedded.home import Home

BUDGET_MS = 10.0
REPEAT = 100
PATHS = "/auth/current-user/allowed-viewer-paths/"
SOME_PROJECTS = 20

FILL = """
WITH project AS (
    INSERT INTO jobs.projectv2 (name, resource_id)
    SELECT 'project ' || number, (SELECT min(id) FROM jobs.resource)
    FROM generate_series(1, %(projects)s) AS number
    RETURNING id
), numbered AS (
    SELECT id, row_number() OVER () AS number FROM project
), link AS (
    INSERT INTO jobs.linkuserprojectv2 (project_id, user_id, is_owner, is_verified, permissions)
    SELECT id, %(everything)s, true, true, 'rwx' FROM numbered
    UNION ALL
    SELECT id, %(some)s, false, true, 'r' FROM numbered WHERE number <= %(few)s
)
INSERT INTO jobs.datasetv2 (name, project_id, zarr_dir)
SELECT 'dataset', id, '/data/projects/group/project-' || id || '/zarr/dataset-' || dataset
FROM numbered CROSS JOIN generate_series(1, %(datasets)s) AS dataset
"""


def fill(home: Home, values: dict[str, int]) -> None:
    environment = postgres.environment(home, home.remembered_port("postgres"))
    with psycopg.connect(
        host=environment["POSTGRES_HOST"],
        port=environment["POSTGRES_PORT"],
        user=environment["POSTGRES_USER"],
        password=environment["POSTGRES_PASSWORD"],
        dbname=environment["POSTGRES_DB"],
        autocommit=True,
    ) as connection:
        connection.execute(FILL, values)
        connection.execute("ANALYZE")


def measure(name: str, call: Callable[[], object], budget_ms: float | None = None) -> float:
    """Print p50 and p95 in milliseconds; the p50."""
    for _ in range(5):
        call()
    times: list[float] = []
    for _ in range(REPEAT):
        begun = time.perf_counter()
        call()
        times.append((time.perf_counter() - begun) * 1000)
    p50, p95 = statistics.median(times), sorted(times)[int(0.95 * (len(times) - 1))]
    share = f"   {p50 / budget_ms:5.2f} of the budget" if budget_ms else ""
    print(f"{name:34} p50 {p50:7.1f} ms   p95 {p95:7.1f} ms{share}")
    return p50


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--projects", type=int, default=1000)
    parser.add_argument("--datasets", type=int, default=10, help="of each project")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fractal-bench-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        os.environ["FRACTAL_HOME"] = str(Path(directory) / "home")
        server = Server.up(Path(directory) / "home")
        try:
            people = {"every dataset": server.user(1), "those of twenty projects": server.user(2)}
            ids = [user.http.get("/auth/current-user/").raise_for_status().json()["id"] for user in people.values()]
            values = {"projects": options.projects, "datasets": options.datasets, "few": SOME_PROJECTS}
            fill(Home(server.home), values | {"everything": ids[0], "some": ids[1]})
            print(f"{options.projects} projects with {options.datasets} datasets each")
            slow = 0
            for name, user in people.items():
                expected = (options.projects if name == "every dataset" else SOME_PROJECTS) * options.datasets + 1
                assert len(user.http.get(PATHS).raise_for_status().json()) == expected
                slow += measure(name, lambda user=user: user.http.get(PATHS).raise_for_status(), BUDGET_MS) > BUDGET_MS
            measure("the user alone", lambda: server.http.get("/auth/current-user/").raise_for_status())
        finally:
            stack(server.home, "down")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
