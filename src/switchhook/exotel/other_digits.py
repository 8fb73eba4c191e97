"""What has digits and is no telephone number: SIDs, times, addresses, amounts, our own names."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from functools import lru_cache

LETTER = "x"
"""What stands for each sign of it, so that places stay."""


@lru_cache(maxsize=4096)
def digit_of(character: str) -> str | None:
    """The ASCII digit that a character of any script stands for."""
    value = unicodedata.digit(character, None)
    if value is None:
        number = unicodedata.numeric(character, -1.0)  # Chinese ones are letters
        value = int(number) if number in range(10) else None
    return None if value is None else str(value)


_ASCII_DIGIT = re.compile(r"[0-9]")


def count_of_digits(text: str) -> int:
    """How many digits a text has, of any script."""
    if text.isascii():
        return len(_ASCII_DIGIT.findall(text))
    return sum(1 for c in text if digit_of(c) is not None)


def letters_for_others(text: str) -> str:
    """The same, as long as it was, with letters where such things stand."""
    if _MAY_HAVE_OURS.search(text):
        text = _OURS.sub(lambda found: LETTER * len(found[0]), text)
    return _NO_NUMBER.sub(_as_letters, text)


def _as_letters(found: re.Match[str]) -> str:
    return LETTER * len(found[0]) if _is_kept(found) else found[0]


_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_YEAR, _MONTH, _DAY = "(?:19|20)[0-9]{2}", "(?:0?[1-9]|1[0-2])", "(?:0?[1-9]|[12][0-9]|3[01])"
_MINUTE = "(?:[01]?[0-9]|2[0-4]):[0-5][0-9]"
_SECOND = ":[0-6][0-9](?:[.,][0-9]{1,9})?"
_ZONE = r"(?:[ ]?(?:[AP]M|Z|UTC|GMT|IST)|[ +-][01][0-9]:?[0-5][0-9]|[ ][+-][01][0-9]:?[0-5][0-9])?"
_TIME = f"{_MINUTE}(?:{_SECOND})?{_ZONE}"
_MOMENT = f"{_YEAR}-{_MONTH}-{_DAY}T{_TIME}"
_ALONE = r"(?<![0-9])(?<![0-9][-./:,+])"
_NO_MORE = r"(?![0-9]|[-./:,+][0-9])"
_NOT_JOINED = r"(?![0-9]|[-./:,+_ ][0-9])"
_ENDS = r"(?![0-9]|[^\w:;]{1,8}[0-9])"  # as a number of few digits does that no other goes on
# Hours have as many digits as a short number: they stay where no digit is near enough to join them.
_HOURS = f"{_MINUTE}-{_MINUTE}"
_FAR_BEFORE = "".join(rf"(?<![0-9][\W_]{{{between}}})" for between in range(9))
_FAR_AFTER = r"(?![0-9]|[\W_]{1,8}[0-9])"
_GROUPED = r"[1-9][0-9]{0,2}(?:,[0-9]{3})"
_MACHINE = rf"(?:{_BYTE}\.){{3}}{_BYTE}(?::[0-9]{{1,5}}|/[0-9]{{1,2}})?"
_BESIDE = "|".join(
    f"(?<={word}[ ])" for word in ("record", "records", "seq", "entry", "node", "id")
)
_COUNTED_BEFORE = "[ ](?:bytes|records|commits)"
# When a backup was made, as people put it into the names of their files.
_CLOCK_TIME = "[0-2][0-9][-_.h:]?[0-5][0-9](?:[-_.m:]?[0-5][0-9])?"
_STAMP = (
    "(?:20[0-9]{2}[-_.]?(?:0[1-9]|1[0-2])[-_.]?(?:0[1-9]|[12][0-9]|3[01])"
    f"(?:[-_.T]?{_CLOCK_TIME})?|1[5-9][0-9]{{8}})"
)
_DAY_STAMP = "20[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_ARCHIVE = r"[\w.-]{0,60}\.(?:tar|tar\.gz|tgz)(?:\.age)?(?![0-9A-Za-z])"
_OURS = re.compile(
    rf"""
    (?<![0-9A-Za-z])(?:
        0{{6}}[0-9]{{14}}(?:-[0-9]{{1,9}})?\.sqlite
      | fp_[0-9a-f]{{16}}
      | sha256:[0-9a-f]{{16}}
      | (?:cluster_receipt|undated)_{_DAY_STAMP}
    )(?![0-9A-Za-z])
  | (?<=switchhook-erasures-)[0-9]{{1,10}}(?=\.json(?![0-9A-Za-z]))
  | (?<=refused/)[0-9]{{1,19}}(?=\.bin(?![0-9A-Za-z]))
  | (?<=[(]process[ ])[1-9][0-9]{{6}}(?=[ ]on[ ])
  | (?<=records[ ]){_GROUPED}*[ ]to[ ]{_GROUPED}*{_NOT_JOINED}
  | (?:{_BESIDE}){_GROUPED}{{2,}}{_NOT_JOINED}
  | (?:{_BESIDE}){_GROUPED}?{_ENDS}
  | {_ALONE}{_GROUPED}{{2,}}(?={_COUNTED_BEFORE})
  | (?<![0-9]){_STAMP}(?![0-9])(?={_ARCHIVE})
    """,
    re.VERBOSE,
)
"""What our files are called, and how we write numbers that are nobody's: see `counted`."""
_MAY_HAVE_OURS = re.compile(
    r"\.sqlite|fp_|sha256:|switchhook-erasures-|refused/|[(]process |,[0-9]{3},[0-9]{3}|\.tar|\.tgz"
    r"|receipt_20|undated_20|(?:records?|seq|entry|node|id) [1-9]"
)
_NO_NUMBER = re.compile(
    rf"""
    (?P<word> (?<![0-9A-Za-z])
        (?: [0-9a-f]{{28}}[0-9a-z]{{4}} | [0-9a-f]{{16,128}} | [0-9A-F]{{16,128}}
          | [0-9A-Fa-f]{{8}}(?:-[0-9A-Fa-f]{{4}}){{3}}-[0-9A-Fa-f]{{12}} )
        (?![0-9A-Za-z]) )
  | (?P<receipt> (?<![0-9A-Za-z])0[0-9][0-9a-hjkmnp-tv-z]{{24}}(?![0-9A-Za-z]) )
  | {_ALONE}(?:
        {_MOMENT}/{_MOMENT}{_NO_MORE}
      | {_YEAR}(?P<sep>[-/.]){_MONTH}(?P=sep){_DAY}(?:(?:[T +_]|,[ ]){_TIME})?{_NO_MORE}
      | {_DAY}(?P<pes>[-/.]){_MONTH}(?P=pes){_YEAR}(?:(?:[T +_]|,[ ]){_TIME})?{_NO_MORE}
      | {_YEAR}[01][0-9][0-3][0-9][T_-][0-2][0-9][0-5][0-9][0-6][0-9](?:Z|{_NO_MORE})
      | (?<=[A-Za-z]{{3}}[ /+-]){_YEAR}[ :,+]{{1,2}}{_TIME}{_NO_MORE}
      | {_MINUTE}{_SECOND}{_ZONE}{_NO_MORE}
      | {_MACHINE}(?:,[ ]?{_MACHINE})*{_NOT_JOINED}
    )
  | (?:(?<=[A-Za-z]-)|(?<=ec2-))(?:{_BYTE}-){{3}}{_BYTE}(?=\.[A-Za-z])
  | {_ALONE}{_GROUPED}{{2}}(?:\.[0-9]{{1,2}})?{_NOT_JOINED}
  | (?=[0-9]{{1,2}}:){_FAR_BEFORE}{_HOURS}(?:,[ ]?{_HOURS})*{_FAR_AFTER}
  | (?P<amount> (?:₹|\$|€|\b(?:Rs\.?|INR|USD))[ ]?[0-9][0-9,]{{0,10}}(?:\.[0-9]{{1,6}})?
        {_NOT_JOINED} )
  | (?P<six> (?<![0-9A-Za-z:.])[0-9A-Fa-f]{{0,4}}(?::[0-9A-Fa-f]{{0,4}}){{2,7}}(?![0-9A-Za-z:]) )
    """,
    re.VERBOSE,
)
_FEWEST_CHANGES = 5
_SID_LENGTH = 32  # so long a one has ten digits in a row by chance, now and then
_FULL = 10  # digits of a number with its area, in most countries


def _is_kept(found: re.Match[str]) -> bool:
    """Whether what has the form of another thing is one."""
    text = found[0]
    if found["word"] is not None:
        # Between digits and letters; a word that holds a number changes once or twice.
        kinds = "".join("0" if c.isdigit() else "a" for c in text if c != "-")
        changes = kinds.count("0a") + kinds.count("a0")
        mixed = changes >= max(_FEWEST_CHANGES, len(kinds) // 6)
        return mixed and (len(kinds) >= _SID_LENGTH or "0" * _FULL not in kinds)
    if found["amount"] is not None:
        return count_of_digits(text) < _FULL
    if found["receipt"] is not None:
        # Until 2039 the third of an id of ours is a letter.
        return text[2].isalpha() or sum(c.isalpha() for c in text) >= _FEWEST_CHANGES
    if found["six"] is not None:
        try:
            ipaddress.IPv6Address(text)
        except ValueError:
            return False
        return "::" in text or not text.replace(":", "").isdigit()
    return True
