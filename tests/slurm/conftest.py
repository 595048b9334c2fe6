"""Fixtures of the SLURM suite: real clusters, started once and shared by all tests."""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path

import pytest
from fractal_common.bus import COMMANDS, EVENTS, Bus
from fractal_common.settings import DatabaseSettings, NatsSettings

from tests.processes import is_alive, until
from tests.slurm import accounts
from tests.slurm.cluster import SlurmCluster, running
from tests.slurm.configuration import Shape
from tests.slurm.lab import Lab
from tests.slurm.site import Site


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
    with running(Shape(name="frn", accounting=False, nodes=1)) as cluster:
        yield cluster


DOCS = Path(__file__).parents[2] / "docs" / "slurm.md"
DOCUMENTED = "/usr/local/libexec/fractal-delegate"


@pytest.fixture(scope="session")
def delegate(slurm: SlurmCluster) -> Generator[Path]:
    """Installed, and allowed, by the commands and lines of the documentation; only its place is the test's."""
    installed = slurm.root / "libexec" / "fractal-delegate"
    text = DOCS.read_text().replace(DOCUMENTED, str(installed))
    (command,) = re.findall(r"<!-- run by tests/slurm/conftest.py -->\n```sh\n(.*?)\n```", text, re.DOTALL)
    assert command.startswith("python ")
    subprocess.run([sys.executable, *command.split()[1:]], check=True, cwd="/")
    (lines,) = re.findall(r"```sudoers\n(.*?)```", text, re.DOTALL)
    accounts.allow(re.sub(r"\bfractal\b(?!-)", accounts.SERVICE, lines))
    yield installed
    accounts.forbid()


@pytest.fixture
async def shared_site(
    slurm: SlurmCluster, nats_server: tuple[NatsSettings, NatsSettings], delegate: Path
) -> AsyncGenerator[Site]:
    """An agent that may act as two of the three users; sudo lets it become all of them."""
    async with site_on(slurm, nats_server) as site:
        site.environment |= {
            "FRACTAL_AGENT_USERS": ",".join(accounts.USERS[:2]),
            "FRACTAL_AGENT_DELEGATE": str(delegate),
        }
        site.start()
        yield site


_resources = count(5000 + os.getpid() % 1000 * 100)


@pytest.fixture
async def site(slurm: SlurmCluster, nats_server: tuple[NatsSettings, NatsSettings]) -> AsyncGenerator[Site]:
    """An agent of its own user on the cluster with accounting."""
    async with site_on(slurm, nats_server) as site:
        site.start()
        yield site


@pytest.fixture
async def quiet_site(slurm: SlurmCluster, nats_server: tuple[NatsSettings, NatsSettings]) -> AsyncGenerator[Site]:
    """The same, without an agent yet."""
    async with site_on(slurm, nats_server) as site:
        yield site


@pytest.fixture
async def site_without_accounting(
    slurm_without_accounting: SlurmCluster, nats_server: tuple[NatsSettings, NatsSettings]
) -> AsyncGenerator[Site]:
    async with site_on(slurm_without_accounting, nats_server) as site:
        site.start()
        yield site


@asynccontextmanager
async def site_on(slurm: SlurmCluster, nats_server: tuple[NatsSettings, NatsSettings]) -> AsyncGenerator[Site]:
    bus = await Bus.connect(nats_server[0], name="test-engine")
    resource_id = next(_resources)
    await bus.ensure_streams()
    await bus.ensure_consumer(COMMANDS, f"agent-{resource_id}", f"fractal.cmd.{resource_id}.>")
    await bus.ensure_consumer(EVENTS, f"test-{resource_id}", f"fractal.evt.{resource_id}.>")
    # Not pytest's own directory: that is closed to the users of the cluster.
    with tempfile.TemporaryDirectory(prefix="fractal-site-") as directory:
        root = Path(directory)
        root.chmod(0o755)
        site = Site(root, bus, nats_server[1], resource_id, slurm)
        try:
            yield site
        finally:
            site.close()
            await bus.close()


@pytest.fixture
async def lab(
    slurm: SlurmCluster, database_settings: DatabaseSettings, database_environment: dict[str, str]
) -> AsyncGenerator[Lab]:
    """The whole stack, and an agent of the service user on the cluster with accounting."""
    with lab_folder() as root:
        async with working(Lab(root, database_settings, database_environment, slurm), accounts.SERVICE) as lab:
            yield lab


@pytest.fixture
async def shared_lab(
    slurm: SlurmCluster, database_settings: DatabaseSettings, database_environment: dict[str, str], delegate: Path
) -> AsyncGenerator[Lab]:
    """The same for three Unix users, two of whom the agent may act as."""
    agent = {"FRACTAL_AGENT_USERS": ",".join(accounts.USERS[:2]), "FRACTAL_AGENT_DELEGATE": str(delegate)}
    with lab_folder() as root:
        lab = Lab(root, database_settings, database_environment, slurm, **agent)
        async with working(lab, *accounts.USERS):
            yield lab


@pytest.fixture
async def ssh_lab(
    slurm: SlurmCluster, database_settings: DatabaseSettings, database_environment: dict[str, str]
) -> AsyncGenerator[Lab]:
    """A resource of the type `slurm_ssh`: its agent runs as the user whose jobs they are."""
    user = accounts.USERS[0]
    with lab_folder() as root:
        lab = Lab(root, database_settings, database_environment, slurm, kind="slurm_ssh", agent_user=user)
        async with working(lab, user):
            yield lab


@contextmanager
def lab_folder() -> Generator[Path]:
    with tempfile.TemporaryDirectory(prefix="fractal-lab-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@asynccontextmanager
async def working(lab: Lab, *usernames: str) -> AsyncGenerator[Lab]:
    await lab.prepare(*usernames)
    for name in ("nats", "engine", "api", "agent"):
        lab.start(name)
    try:
        url = f"http://127.0.0.1:{lab.api_ports['api']}"
        await asyncio.to_thread(until, lambda: is_alive(url), "the api", 120)
        yield lab
    finally:
        await lab.close()
