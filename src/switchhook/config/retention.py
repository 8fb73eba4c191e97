"""`[keep]`: how many days each class of data is kept, and whom backups are encrypted to."""

from __future__ import annotations

import re
import tomllib

from switchhook.config.keys import Problems, RefusedValue, Section, integer, several, text
from switchhook.errors import ConfigError
from switchhook.retention.policy import Matter, RetentionLimits

LONGEST_DAYS = 36_500
MOST_RECIPIENTS = 20

# Whether the key in it is one is known to whoever encrypts to it.
_RECIPIENT = re.compile(r"age1[02-9ac-hj-np-z]{58}|ssh-(ed25519|rsa) [A-Za-z0-9+/=]{40,4000}( .*)?")


def limits_in(text: str, file: str) -> RetentionLimits:
    """The limits in a configuration, whatever else is in it. Raises ConfigError."""
    try:
        document = tomllib.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        raise ConfigError("it is not TOML", file=file, hint="see: switchhook check") from None
    problems = Problems(file)
    limits = read_retention(Section(document.get("keep", {}), "keep", problems))
    if problems.found:
        raise problems.found[0]
    return limits


def read_retention(section: Section) -> RetentionLimits:
    """The limits; 0 keeps for ever."""
    days = {
        f"{matter.value}_days": section.take(
            f"{matter.value}_days",
            integer(0, LONGEST_DAYS),
            getattr(RetentionLimits(), f"{matter.value}_days"),
        )
        for matter in Matter
    }
    recipients = section.take("encrypt_backups_to", several(_recipient, MOST_RECIPIENTS), ())
    section.end()
    return RetentionLimits(
        raw_days=days["raw_days"],
        stories_days=days["stories_days"],
        call_details_days=days["call_details_days"],
        alerts_days=days["alerts_days"],
        capacity_days=days["capacity_days"],
        audit_days=days["audit_days"],
        promises_days=days["promises_days"],
        encrypt_backups_to=recipients,
    )


def _recipient(value: object) -> str:
    found = text(5000)(value)
    if _RECIPIENT.fullmatch(found):
        return found
    hint = "age1… as age-keygen prints it, or a public key of SSH; never the secret one"
    raise RefusedValue("no recipient to encrypt to", hint)
