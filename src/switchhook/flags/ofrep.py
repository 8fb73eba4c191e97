"""Flags as bots read them: OFREP 0.3, OpenFeature's protocol for remote evaluation. Pure.

What the published SDKs need beyond the protocol's text is kept: `reason` and `variant` in every
answer, `errorDetails` in every failure, a number with a point where the flag is one.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.exotel.fields import e164
from switchhook.rules.flags import Flag, FlagKind, Window, set_to, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from switchhook.rules.flags import FlagSetting, SetTo

LARGEST_BODY = 64 * 1024
LONGEST_KEY = 256
"""Characters of a targeting key, and of a flag's name that is asked for."""
INACTIVE_S = 120
_REGION = re.compile("[A-Z]{2}")


class EvaluationContext(msgspec.Struct, frozen=True):
    """Whom a flag is evaluated for; `key` is empty where the bot names nobody.

    `key` is the targeting key as rules know callers: a telephone number in E.164. `whole` is all
    that was sent, for telling two contexts apart.
    """

    key: str
    whole: bytes


class RefusedEvaluation(Exception):  # noqa: N818 - it is an answer
    """A request that can't be evaluated: the protocol's code, and why in words."""

    def __init__(self, code: str, details: str) -> None:
        self.code, self.details = code, details
        super().__init__(details)


def read_context(body: bytes) -> EvaluationContext:
    """The context of a request. Raises RefusedEvaluation.

    One without any context is taken, as SDKs send it where the bot gives none.
    """
    if len(body) > LARGEST_BODY:
        raise RefusedEvaluation("PARSE_ERROR", f"the body has more than {LARGEST_BODY:,} bytes")
    try:
        said = msgspec.json.decode(body) if body.strip() else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RefusedEvaluation("PARSE_ERROR", "the body is not JSON") from None
    if not isinstance(said, dict):
        raise RefusedEvaluation("PARSE_ERROR", 'the body is no object: {"context": {…}}')
    context = said.get("context")
    if context is None:
        context = {}
    if not isinstance(context, dict):
        raise RefusedEvaluation("INVALID_CONTEXT", "context is not an object")
    key = context.get("targetingKey", "")
    if not isinstance(key, str) or len(key) > LONGEST_KEY:
        details = f"targetingKey is not a text of at most {LONGEST_KEY} characters"
        raise RefusedEvaluation("INVALID_CONTEXT", details)
    return EvaluationContext(_caller(key, context.get("region")), _canonical(context))


def evaluated(
    flag: Flag, settings: Mapping[str, FlagSetting], context: EvaluationContext, now_ms: int
) -> dict[str, Any]:
    """A flag for whom it is asked. Raises RefusedEvaluation where the answer needs a key."""
    setting = settings.get(flag.name)
    said = set_to(flag, setting, now_ms)
    if _splits(flag, said) and not context.key:
        details = f"{flag.name} is true for a part of the callers: send whom as targetingKey"
        raise RefusedEvaluation("TARGETING_KEY_MISSING", details)
    value = value_of(flag, said, context.key, now_ms)
    as_set = setting is not None and setting.kind is flag.kind and setting.at(now_ms) is not None
    variant = "set" if as_set else "default"
    if isinstance(value, bool):
        variant = "on" if value else "off"
    return {
        "key": flag.name,
        "value": value,
        "reason": _reason(flag, said),
        "variant": variant,
        "metadata": {"kind": flag.kind.value, "set": as_set},
    }


def evaluated_all(
    flags: Iterable[Flag],
    settings: Mapping[str, FlagSetting],
    context: EvaluationContext,
    now_ms: int,
) -> list[dict[str, Any]]:
    """All flags; one that can't be evaluated is a failure among them."""
    found = []
    for flag in flags:
        try:
            found.append(evaluated(flag, settings, context, now_ms))
        except RefusedEvaluation as refused:
            found.append(failure(flag.name, refused.code, refused.details))
    return found


def failure(key: str, code: str, details: str) -> dict[str, Any]:
    """A failure, as the protocol has it."""
    return {"key": key[:LONGEST_KEY], "errorCode": code, "errorDetails": details}


def not_found(key: str) -> dict[str, Any]:
    """What is answered of a flag that is not declared."""
    return failure(key, "FLAG_NOT_FOUND", "no flag of that name is declared")


def etag_of(found: object, context: EvaluationContext) -> str:
    """What tells answers to one context apart, and contexts."""
    words = msgspec.json.encode([found, context.whole.decode(errors="replace")])
    return f'"{blake2b(words, digest_size=16).hexdigest()}"'


def is_known(if_none_match: str, etag: str) -> bool:
    """Whether a client has this answer, by its If-None-Match."""
    known = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return etag in known or etag.strip('"') in known or known == ["*"]


def version_of(gist: object) -> str:
    """A word that changes with what flags are set to."""
    return blake2b(repr(gist).encode(errors="replace"), digest_size=8).hexdigest()


def _caller(key: str, region: object) -> str:
    """A targeting key as rules know callers."""
    said = region if isinstance(region, str) and _REGION.fullmatch(region) else "IN"
    found = e164(key, said)
    return found if isinstance(found, str) else key


def _canonical(context: dict[str, Any]) -> bytes:
    return msgspec.json.encode(context, order="sorted")


def _splits(flag: Flag, said: SetTo) -> bool:
    return flag.kind is FlagKind.PERCENTAGE and said not in (0, 100)


def _reason(flag: Flag, said: SetTo) -> str:
    if isinstance(said, Window):
        return "TARGETING_MATCH"
    return "SPLIT" if _splits(flag, said) else "STATIC"
