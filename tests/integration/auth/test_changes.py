"""A change of an account counts on every replica within five seconds, whatever was cached before."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.api import Api

from .replicas import PASSWORD, Replicas

BOUND_S = 5.0
PROJECTS = "/api/v2/project/"
RESOURCES = "/admin/v2/resource/"


@contextmanager
def everywhere(replicas: Replicas, email: str) -> Generator[list[Api]]:
    """One token, used at every replica of the jobs api."""
    token = httpx.post(f"{replicas.auth[1]}/auth/token/login/", data={"username": email, "password": PASSWORD})
    apis = [Api(url, token.json()["access_token"]) for url in replicas.jobs]
    yield apis
    for api in apis:
        api.close()


def within_bound(condition: Callable[[], bool]) -> float:
    """Seconds until it holds."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < BOUND_S, f"not within {BOUND_S} s"
        time.sleep(0.01)
    return time.monotonic() - start


def statuses(apis: list[Api], path: str) -> set[int]:
    return {api.http.get(path).status_code for api in apis}


@pytest.mark.parametrize(
    ("change", "expected"),
    [({"is_active": False}, 401), ({"is_verified": False}, 403), ({"profile_id": None}, 403)],
)
def test_who_may_no_longer_read_is_refused_everywhere(
    replicas: Replicas, change: dict[str, object], expected: int
) -> None:
    user = replicas.register()
    with everywhere(replicas, user["email"]) as apis:
        assert statuses(apis, PROJECTS) == {200}, "every replica has seen the account"
        replicas.admin.patch(f"/auth/users/{user['id']}/", change)
        within_bound(lambda: statuses(apis, PROJECTS) == {expected})


def test_who_is_no_superuser_any_more_is_refused_everywhere(replicas: Replicas) -> None:
    user = replicas.register(is_superuser=True)
    with everywhere(replicas, user["email"]) as apis:
        assert statuses(apis, RESOURCES) == {200}
        replicas.admin.patch(f"/auth/users/{user['id']}/", {"is_superuser": False})
        within_bound(lambda: statuses(apis, RESOURCES) == {403})


def test_a_guest_cannot_write_at_once(replicas: Replicas) -> None:
    user = replicas.register()
    with everywhere(replicas, user["email"]) as apis:
        assert statuses(apis, PROJECTS) == {200}
        replicas.admin.patch(f"/auth/users/{user['id']}/", {"is_guest": True})
        for api in apis:
            api.post(PROJECTS, {"name": "p"}, 403)


def test_a_change_that_nobody_announced_counts_as_well(replicas: Replicas) -> None:
    user = replicas.register()
    with everywhere(replicas, user["email"]) as apis:
        assert statuses(apis, PROJECTS) == {200}
        replicas.database.execute("UPDATE auth.user_oauth SET is_active = false WHERE id = %s", [user["id"]])
        within_bound(lambda: statuses(apis, PROJECTS) == {401})


def test_an_announced_change_does_not_wait_for_the_entry_to_age(replicas: Replicas) -> None:
    user = replicas.register()
    with everywhere(replicas, user["email"]) as apis:
        seconds: list[float] = []
        for active in (False, True) * 3:
            replicas.admin.patch(f"/auth/users/{user['id']}/", {"is_active": active})
            seconds.append(within_bound(lambda active=active: statuses(apis, PROJECTS) == {200 if active else 401}))
        assert sorted(seconds)[len(seconds) // 2] < 1, seconds


def test_a_new_password_counts_at_every_replica(replicas: Replicas) -> None:
    user = replicas.register()
    replicas.admin.patch(f"/auth/users/{user['id']}/", {"password": "another horse"})
    for url in replicas.auth:
        for password, expected in ((PASSWORD, 400), ("another horse", 200)):
            form = {"username": user["email"], "password": password}
            assert httpx.post(f"{url}/auth/token/login/", data=form, timeout=30).status_code == expected


def test_a_stream_ends_with_the_account(replicas: Replicas, tmp_path: Path) -> None:
    """Nothing executes the job, so that its events would be waited for."""
    user = replicas.register()
    with everywhere(replicas, user["email"]) as apis:
        flow = apis[0].prepared(tmp_path, apis[0].puppet_task(tmp_path, f"puppet {user['id']}"), 1)
        job = apis[0].submit(*flow)
        events, log = (f"/api/v2/project/{flow[0]}/job/{job}/{name}/" for name in ("events", "log"))
        with (
            apis[0].http.stream("GET", events, timeout=20) as first,
            apis[1].http.stream("GET", log, params={"follow": True}, timeout=20) as second,
        ):
            assert (first.status_code, second.status_code) == (200, 200)
            replicas.admin.patch(f"/auth/users/{user['id']}/", {"is_active": False})
            start = time.monotonic()
            for stream in (first, second):
                for _ in stream.iter_raw():
                    pass
            assert time.monotonic() - start < BOUND_S
