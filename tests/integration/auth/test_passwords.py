"""Log-in: hashes of the reference, and what time tells."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from pwdlib.hashers.bcrypt import BcryptHasher

from .replicas import PASSWORD, Replicas, login

BAD = {"detail": "LOGIN_BAD_CREDENTIALS"}


def test_new_passwords_are_hashed_with_argon2(replicas: Replicas) -> None:
    assert replicas.hash_of(replicas.register()["id"]).startswith("$argon2id$")


def test_a_bcrypt_hash_verifies_and_is_replaced(replicas: Replicas) -> None:
    user = replicas.register()
    replicas.set_hash(user["id"], BcryptHasher().hash(PASSWORD))
    assert login(replicas.auth[0], user["email"], "wrong horse").status_code == 400
    assert replicas.hash_of(user["id"]).startswith("$2b$")
    assert login(replicas.auth[0], user["email"]).status_code == 200
    upgraded = replicas.hash_of(user["id"])
    assert upgraded.startswith("$argon2id$")
    assert login(replicas.auth[1], user["email"]).status_code == 200
    assert replicas.hash_of(user["id"]) == upgraded


def test_a_hash_that_nobody_knows_is_a_wrong_password(replicas: Replicas) -> None:
    user = replicas.register()
    replicas.set_hash(user["id"], "plain text")
    answer = login(replicas.auth[0], user["email"], "plain text")
    assert (answer.status_code, answer.json()) == (400, BAD)


@pytest.mark.parametrize("legacy", [False, True])
def test_time_does_not_tell_whether_an_address_is_known(replicas: Replicas, legacy: bool) -> None:
    """Without an account there is nothing to verify, and yet refusing takes as long."""
    known = [replicas.register() for _ in range(3)]
    if legacy:
        hashed = BcryptHasher().hash(PASSWORD)
        for user in known:
            replicas.set_hash(user["id"], hashed)
    seconds: dict[str, list[float]] = {"known": [], "unknown": []}
    with httpx.Client(base_url=replicas.auth[0], timeout=60) as http:
        for number in range(16):
            for kind, email in (("known", known[number % 3]["email"]), ("unknown", replicas.new_email())):
                form = {"username": email, "password": "wrong horse"}
                start = time.perf_counter()
                assert http.post("/auth/token/login/", data=form).status_code == 400
                if number:  # the first of a process makes the hashes to compare with
                    seconds[kind].append(time.perf_counter() - start)
    for user in known:
        replicas.set_hash(user["id"], "none")
    ratio = statistics.median(seconds["known"]) / statistics.median(seconds["unknown"])
    assert 0.6 < ratio < 1.7, seconds


def test_hashing_leaves_the_event_loop_free(replicas: Replicas) -> None:
    """While passwords are looked at, who is already in is served between two hashes, not after all of them."""
    user = replicas.register()
    url = replicas.auth[0]
    token = login(url, user["email"]).json()["access_token"]
    with ThreadPoolExecutor(12) as threads, httpx.Client(headers={"Authorization": f"Bearer {token}"}) as http:
        start = time.perf_counter()
        logins = [threads.submit(login, url, replicas.new_email()) for _ in range(12)]
        served = 0
        while not all(one.done() for one in logins):
            assert http.get(f"{url}/auth/current-user/", timeout=60).status_code == 200
            served += 1
        seconds = time.perf_counter() - start
    assert served >= 12, f"{served} requests served in {seconds} s of log-ins"
