"""What a stream's URL asks for: custom parameters and the sample rate (exotel-platform C.7)."""

from __future__ import annotations

from urllib.parse import urlsplit

from switchhook.exotel.wire.query import parse_pairs

RATES = (8000, 16000, 24000)
MOST_PARAMETERS = 3
LONGEST_PARAMETERS = 256
"""Characters of all custom parameters together."""


def custom_parameters(url: str) -> tuple[dict[str, str], list[str]]:
    """What of a stream's URL reaches the bot, and what is wrong (exotel-platform C.7)."""
    problems: list[str] = []
    pairs = parse_pairs(urlsplit(url).query.encode(), [])
    own = [(key, value) for key, value in pairs if key != "sample-rate"]
    kept: dict[str, str] = {}
    for key, value in own:
        if len(kept) == MOST_PARAMETERS and key not in kept:
            problems.append(f"more than {MOST_PARAMETERS} custom parameters; {key!r} is left out")
        else:
            kept[key] = value
    length = sum(len(key) + len(value) for key, value in kept.items())
    if length > LONGEST_PARAMETERS:
        problems.append(
            f"custom parameters of {length} characters; all together may have {LONGEST_PARAMETERS}"
        )
    return kept, problems


def sample_rate(url: str) -> tuple[int, str | None]:
    """The rate a stream's URL asks for, else 8000; and what is wrong (exotel-platform G-51)."""
    for key, value in parse_pairs(urlsplit(url).query.encode(), []):
        if key == "sample-rate":
            if value.isascii() and value.isdigit() and len(value) < 6 and int(value) in RATES:
                return int(value), None
            return (
                8000,
                f"sample-rate={value[:20]} is neither 8000 nor 16000 nor 24000, so it is 8000",
            )
        if key.lower().replace("_", "-") in ("sample-rate", "samplerate"):
            return 8000, f"{key!r} is not how the sample rate is asked for; write sample-rate"
    return 8000, None
