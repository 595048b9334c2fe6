"""Tokens: who they name, and for how long."""

import time

import jwt
from fractal_common.security import AUDIENCE, issue_token, token_user_id

KEY = "a key of at least thirty-two bytes for tests"
OTHER_KEY = "another key of at least thirty-two bytes for it"


def test_a_token_that_was_good_ends_at_its_time() -> None:
    token = issue_token(7, key=KEY, lifetime_s=1)
    assert token_user_id(token, key=KEY) == 7
    ends = jwt.decode(token, KEY, algorithms=["HS256"], audience=AUDIENCE)["exp"]
    time.sleep(max(0.0, ends - time.time()))
    assert token_user_id(token, key=KEY) is None


def test_a_token_without_end_stays_good() -> None:
    token = issue_token(7, key=KEY, lifetime_s=0)
    assert [token_user_id(token, key=KEY) for _ in range(2)] == [7, 7]


def test_a_token_is_good_for_its_key_only() -> None:
    token = issue_token(7, key=KEY, lifetime_s=60)
    assert token_user_id(token, key=KEY) == 7
    assert token_user_id(token, key=OTHER_KEY) is None
    assert token_user_id(issue_token(7, key=OTHER_KEY, lifetime_s=60), key=KEY) is None


def test_what_names_nobody() -> None:
    claims = [{"sub": str(2**31)}, {"sub": "0"}, {"sub": "x"}, {}, {"sub": "7", "exp": 1}]
    for each in claims:
        token = jwt.encode({"aud": [AUDIENCE], **each}, KEY, algorithm="HS256")
        assert [token_user_id(token, key=KEY) for _ in range(2)] == [None, None], each
    assert token_user_id(jwt.encode({"sub": "7", "aud": ["else"]}, KEY, algorithm="HS256"), key=KEY) is None
    assert token_user_id("a.b.c", key=KEY) is None
