"""Fixtures of the SLURM suite: real clusters, started once and shared by all tests."""

import os
from collections.abc import Generator

import pytest

from tests.slurm.cluster import SlurmCluster, running
from tests.slurm.configuration import Shape


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() != 0 and any("tests/slurm/" in item.nodeid for item in items):
        raise pytest.UsageError("the SLURM suite starts daemons and changes users: run it as root")


@pytest.fixture(scope="session")
def slurm() -> Generator[SlurmCluster]:
    """Two nodes, with slurmdbd."""
    with running(Shape(name="fra")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def slurm_without_accounting() -> Generator[SlurmCluster]:
    """One node, without slurmdbd: what has left squeue is known to nobody."""
    with running(Shape(name="frn", accounting=False, nodes=1, base_port=17900)) as cluster:
        yield cluster
