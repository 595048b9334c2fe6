"""Attempts to log in are counted per account and address, for all replicas together; the answer tells nothing."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fractal_common.settings import NatsSettings

from tests.conftest import PostgresServer

from .replicas import Replicas, login, started

BAD = {"detail": "LOGIN_BAD_CREDENTIALS"}


def refuse(url: str, email: str, times: int, address: str) -> None:
    for _ in range(times):
        answer = login(url, email, "wrong horse", address)
        assert (answer.status_code, answer.json()) == (400, BAD)


@pytest.fixture(scope="module")
def limited(
    postgres_server: PostgresServer,
    nats_server: tuple[NatsSettings, NatsSettings],
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator[Replicas]:
    settings = {"FRACTAL_LOGIN_ATTEMPTS_PER_ACCOUNT": "3", "FRACTAL_LOGIN_ATTEMPTS_PER_ADDRESS": "20"}
    folder = tmp_path_factory.mktemp("limited")
    with started(postgres_server, nats_server[0], folder, name="limited", settings=settings, jobs=0) as replicas:
        yield replicas


def test_replicas_share_the_count_of_an_account(limited: Replicas) -> None:
    user = limited.register()
    refuse(limited.auth[0], user["email"], 2, "192.0.2.1")
    refuse(limited.auth[1], user["email"], 1, "192.0.2.1")
    for url in limited.auth:
        answer = login(url, user["email"], address="192.0.2.1")
        assert (answer.status_code, answer.json()) == (400, BAD), "right, but not looked at"
    assert login(limited.auth[1], user["email"], address="192.0.2.2").status_code == 200, "another address"


def test_success_starts_anew(limited: Replicas) -> None:
    user = limited.register()
    for _ in range(3):
        refuse(limited.auth[0], user["email"], 2, "192.0.2.3")
        assert login(limited.auth[1], user["email"].upper(), address="192.0.2.3").status_code == 200


def test_many_addresses_are_no_way_around(limited: Replicas) -> None:
    user = limited.register()
    for number in range(5):
        refuse(limited.auth[number % 2], user["email"], 3, f"198.51.100.{number}")
    assert login(limited.auth[0], user["email"], address="198.51.100.77").status_code == 400


def test_many_accounts_are_no_way_around(limited: Replicas) -> None:
    user = limited.register()
    for number in range(20):
        refuse(limited.auth[number % 2], f"guess{number}@example.org", 1, "203.0.113.1")
    assert login(limited.auth[0], user["email"], address="203.0.113.1").status_code == 400
    assert login(limited.auth[0], user["email"], address="203.0.113.2").status_code == 200


def test_attempts_at_the_same_moment_are_all_counted(limited: Replicas) -> None:
    user = limited.register()
    with ThreadPoolExecutor(8) as threads:
        for answer in threads.map(
            lambda number: login(limited.auth[number % 2], user["email"], "wrong", "192.0.2.4"), range(8)
        ):
            assert answer.status_code == 400
    assert login(limited.auth[0], user["email"], address="192.0.2.4").status_code == 400


def test_five_minutes_later_attempts_are_looked_at_again(limited: Replicas) -> None:
    user = limited.register()
    refuse(limited.auth[0], user["email"], 4, "192.0.2.5")
    assert login(limited.auth[0], user["email"], address="192.0.2.5").status_code == 400
    limited.database.execute("UPDATE auth.login_attempts SET since = since - interval '301 seconds'")
    assert login(limited.auth[0], user["email"], address="192.0.2.5").status_code == 200
    left = limited.database.execute("SELECT count(*) FROM auth.login_attempts").fetchone()
    assert left == (3,), "counters that are over are removed"


def test_the_table_does_not_tell_who_was_tried(limited: Replicas) -> None:
    refuse(limited.auth[0], "my-secret-password", 1, "192.0.2.6")
    rows = limited.database.execute("SELECT key FROM auth.login_attempts").fetchall()
    assert rows
    assert not any("secret" in row[0] or "192" in row[0][:3] for row in rows)
