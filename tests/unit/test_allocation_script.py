"""What the script of an allocation asks SLURM for."""

import pytest
from fractal_agent.backends.slurm.script import Paths, script
from fractal_common.messages import SlurmJob

PATHS = Paths("/data/0_task", "par-000000-slurm-%j", "/data/s.json", "/data/s", "/data/worker.pyz", "/usr/bin/python3")
OPTIONS = {"partition": "main", "ntasks": "4", "cpus-per-task": "1", "mem": "400M"}


def directives(extra_lines: list[str] | None = None, **options: str) -> list[str]:
    job = SlurmJob(options=OPTIONS | options, extra_lines=extra_lines or [], exports={}, python=None)
    return [line for line in script(job, PATHS).splitlines() if line.startswith("#SBATCH")]


def test_a_job_asks_for_one_node_and_nothing_else_that_is_not_configured() -> None:
    assert directives() == [
        "#SBATCH --partition=main",
        "#SBATCH --ntasks=4",
        "#SBATCH --cpus-per-task=1",
        "#SBATCH --mem=400M",
        "#SBATCH --nodes=1",
        "#SBATCH --err=/data/0_task/par-000000-slurm-%j.err",
        "#SBATCH --out=/data/0_task/par-000000-slurm-%j.out",
        "#SBATCH -D /data/0_task",
    ]


@pytest.mark.parametrize(
    ("options", "lines", "expected"),
    [
        ({"nodes": "2"}, [], ["#SBATCH --nodes=2"]),
        ({"nodelist": "n1"}, [], ["#SBATCH --nodelist=n1", "#SBATCH --nodes=1"]),
        ({"nodelist": "n1,n2"}, [], ["#SBATCH --nodelist=n1,n2"]),
        ({"nodelist": "n[1-2]"}, [], ["#SBATCH --nodelist=n[1-2]"]),
        ({}, ["#SBATCH -N 2"], ["#SBATCH -N 2"]),
        ({}, ["#SBATCH --exclusive --nodes=1-2"], ["#SBATCH --exclusive --nodes=1-2"]),
        ({}, ["export NOTE='-N 2'"], ["#SBATCH --nodes=1"]),
    ],
)
def test_who_speaks_of_nodes_is_obeyed(options: dict[str, str], lines: list[str], expected: list[str]) -> None:
    assert [line for line in directives(lines, **options) if "node" in line or "-N" in line] == expected
