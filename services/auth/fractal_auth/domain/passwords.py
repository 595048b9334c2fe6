"""Passwords: argon2 for new ones; bcrypt hashes verify, and are replaced when their owner logs in."""

import asyncio
from functools import cache

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

MIN_CHARACTERS = 4
MAX_BYTES = 72

_hasher = PasswordHash((Argon2Hasher(), BcryptHasher()))


class InvalidPassword(ValueError):
    """The text is the contract's reason."""


def check_length(password: str) -> None:
    """Raises InvalidPassword outside 4 characters to 72 bytes."""
    if len(password) < MIN_CHARACTERS:
        raise InvalidPassword(
            f"The password is too short (length = {len(password)}, minimum length = {MIN_CHARACTERS})."
        )
    size = len(password.encode())
    if size > MAX_BYTES:
        raise InvalidPassword(f"The password is too long (length = {size} bytes, maximum length = {MAX_BYTES} bytes).")


async def hash_password(password: str) -> str:
    """In a thread: the work is meant to be slow, the event loop is not."""
    return await asyncio.to_thread(_hasher.hash, password)


async def verify(password: str, hashed: str | None) -> tuple[bool, str | None]:
    """Whether it is right, and the hash to store instead, if any.

    Without a hash (an unknown user) the same work is done for nothing, so that time tells nothing.
    """
    if len(password.encode("utf-8", "replace")) > MAX_BYTES:
        password, hashed = "", None
    return await asyncio.to_thread(_verify, password, hashed)


def _verify(password: str, hashed: str | None) -> tuple[bool, str | None]:
    try:
        valid, updated = _hasher.verify_and_update(password, hashed or _nobody())
    except UnknownHashError:
        return False, None
    return (valid, updated) if hashed else (False, None)


@cache
def _nobody() -> str:
    return _hasher.hash("nobody has this password")
