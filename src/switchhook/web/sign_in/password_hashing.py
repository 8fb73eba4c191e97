"""Passwords hashed by argon2id, one at a time: each takes 48 MB while it lasts."""

from __future__ import annotations

import asyncio
import secrets
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.low_level import ARGON2_VERSION

from switchhook.access.password_policy import normal_password

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_HASHER = PasswordHasher(time_cost=2, memory_cost=48 * 1024, parallelism=1)
"""More than the least that OWASP names (46 MB once, or 19 MB twice)."""
MOST_WAITING = 20


class TooBusy(Exception):  # noqa: N818 - the login page turns it into a sentence
    """More people sign in than passwords can be hashed."""


def hash_password(password: str) -> str:
    """argon2's text of parameters, salt and hash. It takes about a tenth of a second."""
    return _HASHER.hash(normal_password(password))


def password_matches(password: str, kept: str | None) -> bool:
    """Whether it is the one. It takes as long where there is none to compare with."""
    try:
        right = _HASHER.verify(kept or _nobodys(), normal_password(password))
    except (Argon2Error, InvalidHashError):
        return False
    return right and kept is not None


def outdated(kept: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    try:
        return _HASHER.check_needs_rehash(kept)
    except InvalidHashError:
        return True


class Hashing:
    """Does it in a thread of its own, in order; raises TooBusy where too many wait."""

    def __init__(self, most_waiting: int = MOST_WAITING) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="passwords")
        self._most, self._waiting = most_waiting, 0

    async def hash(self, password: str) -> str:
        return await self._work(hash_password, password)

    async def matches(self, password: str, kept: str | None) -> bool:
        return await self._work(password_matches, password, kept)

    async def _work(self, work: Callable[..., T], *arguments: object) -> T:
        if self._waiting >= self._most:
            raise TooBusy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        finally:
            self._waiting -= 1


def _nobodys() -> str:
    """A hash that nobody's password has; to compare with it takes as long as with anybody's."""
    made = _HASHER
    costs = f"m={made.memory_cost},t={made.time_cost},p={made.parallelism}"
    salt, hashed = (_text(secrets.token_bytes(size)) for size in (made.salt_len, made.hash_len))
    return f"$argon2id$v={ARGON2_VERSION}${costs}${salt}${hashed}"


def _text(value: bytes) -> str:
    return b64encode(value).rstrip(b"=").decode()
