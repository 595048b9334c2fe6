"""Passwords: argon2 for new ones; bcrypt hashes verify, and are replaced when their owner logs in."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

MIN_CHARACTERS = 4
MAX_BYTES = 72

_argon2, _bcrypt = Argon2Hasher(), BcryptHasher()
_hasher = PasswordHash((_argon2, _bcrypt))
# A hash takes a core, and 64 MB, for a while: one a core at a time, the others wait here and not on the event loop.
_threads = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="password")


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
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, password)


async def verify(password: str, hashed: str | None, *, any_bcrypt: bool = False) -> tuple[bool, str | None]:
    """Whether it is right, and the hash to store instead, if any.

    Every refusal takes the same time, so that it tells nothing: without a hash (an unknown user) the work is done for
    nothing, and while any account has a bcrypt hash (`any_bcrypt`) that work as well.
    """
    if len(password.encode("utf-8", "replace")) > MAX_BYTES:
        password, hashed = "", None
    return await asyncio.get_running_loop().run_in_executor(_threads, _verify, password, hashed, any_bcrypt)


def _verify(password: str, hashed: str | None, any_bcrypt: bool) -> tuple[bool, str | None]:
    valid, updated, done = False, None, None
    if hashed is not None:
        try:
            valid, updated = _hasher.verify_and_update(password, hashed)
            done = BcryptHasher if BcryptHasher.identify(hashed) else Argon2Hasher
        except UnknownHashError:
            pass
    if not valid:
        if done is not Argon2Hasher:
            _argon2.verify(password, _nobody_argon2())
        if any_bcrypt and done is not BcryptHasher:
            _bcrypt.verify(password, _nobody_bcrypt())
    return valid, updated


@cache
def _nobody_argon2() -> str:
    return _argon2.hash("nobody has this password")


@cache
def _nobody_bcrypt() -> str:
    return _bcrypt.hash("nobody has this password")
