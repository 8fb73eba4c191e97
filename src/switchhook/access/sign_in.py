"""Decisions of signing in: names, tries, how long a session lasts, OpenID Connect.

Clocks and secrets are arguments; nothing here looks anything up.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import unicodedata
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.access.roles import Role
from switchhook.access.users import Token
from switchhook.exotel.phone_numbers import mask_text
from switchhook.exotel.rate_limit import Bucket, Rate, full_bucket, put_back, take

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.access.roles import AccessSettings, OidcSettings
    from switchhook.access.users import Session, User

LONGEST_NAME = 128
_HOUR_US = 3_600_000_000


def name_problem(name: str) -> str | None:
    """Why a user can't have that name; None where they can. Any script is welcome."""
    if not name or len(name) > LONGEST_NAME:
        return f"a name takes 1 to {LONGEST_NAME} characters"
    if name != name.strip() or not name.isprintable():
        return "a name has no blanks around it and no invisible characters"
    if unicodedata.normalize("NFKC", name) != name:
        return "this name has characters that look like others: type it plainly"
    if mask_text(name) != name:
        return "a name can't look like a telephone number: no erasure could reach it"
    return None


def link_problem(user: User) -> str | None:
    """Why a link for a new password would not let that user in; None where it would."""
    if user.oidc_subject is not None:
        return "this user signs in by OpenID Connect"
    if user.disabled:
        return "this user is disabled: enable them first"
    return None


def session_expired(session: Session, settings: AccessSettings, now_us: int) -> bool:
    """Whether a session has ended by itself: too old, or too long unused."""
    return (
        now_us - session.created_us >= settings.session_hours * _HOUR_US
        or now_us - session.used_us >= settings.idle_hours * _HOUR_US
    )


def must_enrol(user: User, settings: AccessSettings) -> bool:
    """Whether somebody has to set up a second factor before anything else.

    Who signs in at a provider is the provider's to ask.
    """
    return (
        settings.second_factor is not None
        and user.role >= settings.second_factor
        and user.oidc_subject is None
        and not user.second_factor
    )


def role_now(pass_: Session | Token, settings: AccessSettings, now_us: int) -> Role | None:
    """What the holder of a session or token may do now; None where it opens nothing any more."""
    if isinstance(pass_, Token):
        return pass_.role if pass_.works(now_us) else None
    if pass_.user.disabled or session_expired(pass_, settings, now_us):
        return None
    return pass_.user.role


# How often one may try.


PER_ACCOUNT = Rate(10, 60_000)
PER_ADDRESS = Rate(30, 10_000)
FOR_ALL = Rate(300, 1_000)
MOST_KEYS = 10_000


class LoginLimit:
    """How often passwords may be tried: per account, per address and over all.

    `take` before a try, `give_back` after one that went well. An address from which an account has
    signed in keeps tries of its own: whoever guesses from elsewhere can't lock its user out. The
    tables are bounded; who was not seen for longest is forgotten.
    """

    def __init__(
        self,
        per_account: Rate = PER_ACCOUNT,
        per_address: Rate = PER_ADDRESS,
        for_all: Rate = FOR_ALL,
        most: int = MOST_KEYS,
    ) -> None:
        self._account, self._address, self._all = per_account, per_address, for_all
        self._most = most
        self._buckets: OrderedDict[tuple[str, ...], Bucket] = OrderedDict()
        self._familiar: OrderedDict[tuple[str, str], None] = OrderedDict()

    def take(self, account: str, address: str, now_ms: int) -> int:
        """Take a try; 0 where there was one, else the seconds until there is."""
        taken = {
            key: take(self._bucket(key, rate, now_ms), now_ms)
            for key, rate in self._keys(account, address)
        }
        wait_ms = max(wait_ms for _, wait_ms in taken.values())
        if wait_ms:
            return math.ceil(wait_ms / 1000)
        for key, (bucket, _) in taken.items():
            self._keep(key, bucket)
        return 0

    def give_back(self, account: str, address: str, now_ms: int) -> None:
        """A try went well: it costs nothing, and the address is familiar from now on."""
        for key, rate in self._keys(account, address):
            self._keep(key, put_back(self._bucket(key, rate, now_ms), now_ms))
        key = _account(account), network_of(address)
        self._familiar[key] = None
        self._familiar.move_to_end(key)
        if len(self._familiar) > self._most:
            self._familiar.popitem(last=False)

    def _keys(self, account: str, address: str) -> list[tuple[tuple[str, ...], Rate]]:
        key = _account(account), network_of(address)
        if key in self._familiar:
            return [(("familiar", *key), self._account)]
        return [
            (("account", key[0]), self._account),
            (("address", key[1]), self._address),
            (("all",), self._all),
        ]

    def _bucket(self, key: tuple[str, ...], rate: Rate, now_ms: int) -> Bucket:
        return self._buckets.get(key) or full_bucket(rate, now_ms)

    def _keep(self, key: tuple[str, ...], bucket: Bucket) -> None:
        self._buckets[key] = bucket
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)


def network_of(address: str) -> str:
    """What counts as one address: all of it, or the /64 that one IPv6 line has."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if ip.version == 6:
        mapped = ip.ipv4_mapped
        if mapped is not None:
            return str(mapped)
        return str(ipaddress.ip_network((int(ip) >> 64 << 64, 64)))
    return str(ip)


def _account(name: str) -> str:
    return name.casefold()[:LONGEST_NAME]


# OpenID Connect.


class Admitted(msgspec.Struct, frozen=True):
    """Somebody whom the provider vouches for.

    With `claimed` the provider says the role each time; without, it is for the first time only.
    """

    name: str
    role: Role
    claimed: bool = False


class SignInRefusal(msgspec.Struct, frozen=True):
    """Why somebody does not come in; a sentence for them."""

    why: str


def admit(claims: Mapping[str, Any], settings: OidcSettings) -> Admitted | SignInRefusal:
    """Whether somebody with these claims (checked already) may come in, and as what."""
    email = claims.get("email")
    email = email.strip().lower() if isinstance(email, str) else ""
    if settings.emails or settings.domains:
        if not email or claims.get("email_verified") is not True:
            return SignInRefusal("your provider does not vouch for your mail address")
        domain = email.rpartition("@")[2]
        if email not in settings.emails and domain not in settings.domains:
            return SignInRefusal("your mail address is not among those that may sign in here")
    role = settings.default_role or Role.VIEWER
    if settings.role_claim:
        held = _texts(claims, settings.role_claim)
        granted = [role for word, role in settings.roles if word in held]
        if not granted and settings.default_role is None:
            return SignInRefusal("your provider gives you no role that is known here")
        role = max(granted, default=role)
    subject = str(claims.get("sub", ""))
    for said in (email, claims.get("preferred_username"), claims.get("name"), subject):
        name = unicodedata.normalize("NFKC", said).strip() if isinstance(said, str) else ""
        if mask_text(name) != name:  # the subject's hash tells those apart who look alike then
            mark = hashlib.sha256(subject.encode("utf-8", "replace")).hexdigest()[:6]
            name = f"{mask_text(name)} {mark}"
        if name and name_problem(name) is None:
            return Admitted(name, role, bool(settings.role_claim))
    return SignInRefusal("your provider says no name that could be used here")


def _texts(claims: Mapping[str, Any], name: str) -> set[str]:
    """The texts of a claim; dots lead into objects, unless a claim has that very name."""
    value: Any = claims.get(name)
    if value is None:
        value = claims
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, str):
        return {value}
    return {each for each in value if isinstance(each, str)} if isinstance(value, list) else set()
