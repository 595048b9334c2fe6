"""Replicas for all tests of the folder that ask for them."""

from collections.abc import Generator

import pytest
from fractal_common.settings import NatsSettings

from tests.conftest import PostgresServer

from .replicas import Replicas, started


@pytest.fixture(scope="session")
def replicas(
    postgres_server: PostgresServer,
    nats_server: tuple[NatsSettings, NatsSettings],
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator[Replicas]:
    folder = tmp_path_factory.mktemp("replicas")
    with started(postgres_server, nats_server[0], folder, name="replicas", settings={}) as replicas:
        yield replicas
