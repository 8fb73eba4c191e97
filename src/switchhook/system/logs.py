"""The log of every program of ours: one line for each thing said, as text or as JSON.

Whatever is said, no line holds a full telephone number, and none can move a terminal's cursor or
pretend to be another line.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.exotel.phone_numbers import mask_text

if TYPE_CHECKING:
    from typing import TextIO

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# Digits in a row that our own sentences have: counts and process numbers, and ms of Unix time. A
# number in them that came from outside is an argument, and always masked.
_COUNTED = re.compile(r"[1-9][0-9]{6,7}|1[5-9][0-9]{11}")
_ACTING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}


def set_up(*, json: bool = False, level: str = "info", stream: TextIO | None = None) -> None:
    """Send all that is logged to a stream (standard error), in one form; may be called again."""
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonLines() if json else TextLines(_TEXT))
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, JsonLines | TextLines):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    # What libraries say at `info` is their own business.
    for name in ("uvicorn", "httpx2", "httpcore2", "apprise", "opentelemetry"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


class TextLines(logging.Formatter):
    """A line for people; what failed follows on lines of its own, as Python writes it."""

    def format(self, record: logging.LogRecord) -> str:
        record.exc_text = None  # another handler may have kept the text as it is
        line = super().format(record)
        record.exc_text = None
        return line

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = _message(record)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        return "\n".join(_outside(line) for line in super().formatException(ei).split("\n"))


class JsonLines(logging.Formatter):
    """One JSON object: time (RFC 3339, UTC), level, logger, message; fields and error if any."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        said: dict[str, object] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        fields = {
            name: _field(value) for name, value in vars(record).items() if name not in _STANDARD
        }
        if fields:
            said["fields"] = fields
        if record.exc_info and record.exc_info[0] is not None:
            lines = "".join(traceback.format_exception(*record.exc_info)).splitlines()
            trace = [_outside(line) for line in lines]
            said["error"] = {"type": record.exc_info[0].__name__, "trace": trace}
        return msgspec.json.encode(said).decode()


def safe(text: str) -> str:
    r"""A text with numbers masked, and with what would act in a terminal as its code: `\n`."""
    return _acting_as_codes(mask_text(text, but=_COUNTED.fullmatch))


def _outside(text: str) -> str:
    """The same of what others have written: why something failed, say."""
    return _acting_as_codes(mask_text(text))


def _message(record: logging.LogRecord) -> str:
    """What is said, safe: whole numbers that we count or measure are nobody's, and stay.

    So do names of our files and the like within arguments: `exotel/phone_numbers.py` knows them.
    """
    args = record.args
    if not args:
        return safe(record.getMessage())
    shown = (
        {name: _argument(value) for name, value in args.items()}
        if isinstance(args, Mapping)
        else tuple(_argument(value) for value in args)
    )
    try:
        return _acting_as_codes(str(record.msg) % shown)
    except (TypeError, ValueError):  # it wants what a text is not
        return safe(record.getMessage())


def _argument(value: object) -> object:
    plain = value is None or isinstance(value, bool | int | float)
    return value if plain else mask_text(str(value))


def _acting_as_codes(text: str) -> str:
    return _ACTING.sub(_code, text)


def _code(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "surrogatepass").decode()


def _field(value: object) -> object:
    said = str(value)
    text = safe(said)
    plain = value is None or isinstance(value, bool | int | float)
    return value if plain and text == said else text
