"""Two resources on one cluster, each with two agents."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from fractal_common.settings import NatsSettings

from tests.slurm.cluster import SlurmCluster
from tests.slurm.conftest import site_on
from tests.slurm.site import Site


@pytest.fixture
async def sites(
    slurm: SlurmCluster, nats_server: tuple[NatsSettings, NatsSettings]
) -> AsyncGenerator[tuple[Site, Site]]:
    async with site_on(slurm, nats_server) as one, site_on(slurm, nats_server) as other:
        yield one, other


async def test_of_the_agents_of_two_resources_one_each_is_killed(sites: tuple[Site, Site]) -> None:
    waves = [site.wave("wave", batches=6, units=2, sleep=3) for site in sites]
    for site in sites:
        site.start("first")
        site.start("second")
    for site, wave in zip(sites, waves, strict=True):
        await site.say(*wave[:3])
        await asyncio.sleep(0.5)
        await site.say(*wave[3:])
    for site in sites:
        await site.until_started("wave", 1)
    for site, number in zip(sites, (0, 1), strict=True):
        site.kill(site.agents[number])
    for site, wave in zip(sites, waves, strict=True):
        await site.say(*wave)  # as an engine does that hears nothing
        await site.finish(*wave, timeout_s=120)
    for site, wave in zip(sites, waves, strict=True):
        assert {event.cause for event in site.finished.values()} == {"COMPLETED"}
        assert set(site.finished) == {run.batch for run in wave}, "nothing of the other resource"
        assert site.started("wave") == list(range(12))
        await site.until(lambda site=site: len(site.slurm_jobs()) >= 6)
        assert len(site.slurm_jobs()) == 6
