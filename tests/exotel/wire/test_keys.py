"""Every spelling of a key names one parameter, and no spelling names another's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.passthru import Leg, Passthru, Stream
from switchhook.exotel.wire.keys import (
    CALL_KEYS,
    LEG_KEYS,
    LONGEST_KEY,
    NUMBER_KEYS,
    STREAM_KEYS,
    ParameterKind,
    Slot,
    Spelling,
    find_slot,
    fold,
    slot_of,
)


def snake(key: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in key).lstrip("_")


RESPELT = {
    "as Exotel spells it": str,
    "lower": str.lower,
    "upper": str.upper,
    "snake": snake,
    "kebab": lambda key: snake(key).replace("_", "-"),
    "dotted": lambda key: snake(key).replace("_", "."),
    "padded": lambda key: f"\r\n\n{key} ",
    "array": lambda key: f"{key}[]",
    "escaped": lambda key: f"%{ord(key[0]):02x}{key[1:]}",
    "escaped twice": lambda key: f"%25{ord(key[0]):02X}{key[1:]}",
}


@pytest.mark.parametrize("respell", RESPELT.values(), ids=RESPELT)
def test_a_calls_key_in_every_spelling(respell):
    named = {field: find_slot(respell(key))[:2] for field, key in CALL_KEYS.items()}
    assert named == {field: (ParameterKind.CALL, field) for field in CALL_KEYS}
    numbers = {name: find_slot(respell(key))[:2] for name, key in NUMBER_KEYS.items()}
    assert numbers == {name: (ParameterKind.NUMBER, name) for name in NUMBER_KEYS}


@pytest.mark.parametrize(
    "form",
    [
        "Stream[{}]",
        "stream[{}]",
        "Stream%5B{}%5D",
        "Stream%255B{}%255D",
        "STREAM.{}",
        "Stream_{}",
        "stream-{}",
        "Stream{}",
        "Stream[ {} ]",
        "Stream[{}][]",
        "Stream[{}",
    ],
)
@pytest.mark.parametrize("respell", [str, str.lower, snake], ids=["plain", "lower", "snake"])
def test_a_streams_key_in_every_spelling(respell, form):
    named = {name: find_slot(form.format(respell(key)))[:2] for name, key in STREAM_KEYS.items()}
    assert named == {name: (ParameterKind.STREAM, name) for name in STREAM_KEYS}


@pytest.mark.parametrize(
    "form", ["Legs[7][{}]", "legs[07][{}]", "Legs%5B7%5D%5B{}%5D", "Legs[7][{}][]"]
)
@pytest.mark.parametrize("respell", [str, str.lower, snake], ids=["plain", "lower", "snake"])
def test_a_legs_key_in_every_spelling(respell, form):
    slots = {name: find_slot(form.format(respell(key))) for name, key in LEG_KEYS.items()}
    named = {name: (slot.kind, slot.name, slot.leg) for name, slot in slots.items()}
    assert named == {name: (ParameterKind.LEG, name, 7) for name in LEG_KEYS}


@pytest.mark.parametrize(
    ("key", "kind", "name"),
    [
        ("Stream", ParameterKind.STREAM_JSON, "stream"),
        ("stream[]", ParameterKind.STREAM_JSON, "stream"),
        ("Legs", ParameterKind.LEGS_JSON, "legs"),
        ("Stream[sid]", ParameterKind.STREAM, "sid"),
        ("Stream[url]", ParameterKind.STREAM, "url"),
        ("Stream[Unheard]", ParameterKind.EXTRA, ""),
        ("Stream[Status][More]", ParameterKind.EXTRA, ""),
        ("Stream[CallSid]", ParameterKind.EXTRA, ""),
        ("Streams[Status]", ParameterKind.EXTRA, ""),
        # Bare: these are the stream's only where nothing else is possible.
        ("StreamSid", ParameterKind.BARE, "sid"),
        ("stream_url", ParameterKind.BARE, "url"),
        ("Status", ParameterKind.BARE, "status"),
        ("Duration", ParameterKind.BARE, "duration_raw"),
        ("detailed_status", ParameterKind.BARE, "detailed_status"),
        ("Sid", ParameterKind.EXTRA, ""),
        ("url", ParameterKind.EXTRA, ""),
        ("RecordingURL", ParameterKind.CALL, "recording_url"),
        # Insights is an agent's leg's, whatever it says.
        ("Insights[DisconnectedBy]", ParameterKind.EXTRA, ""),
        ("Insights[Status]", ParameterKind.EXTRA, ""),
        ("Legs[1][Insights][Status]", ParameterKind.LEG, ""),
        ("Legs[1]", ParameterKind.EXTRA, ""),
        ("Legs[Status]", ParameterKind.EXTRA, ""),
        ("Legs[-1][Type]", ParameterKind.EXTRA, ""),
        ("Legs[٣][Type]", ParameterKind.EXTRA, ""),
        ("Legs[1234567890][Type]", ParameterKind.EXTRA, ""),
        ("CallSid[0]", ParameterKind.EXTRA, ""),
        ("XCallSid", ParameterKind.EXTRA, ""),
        ("Call Sid", ParameterKind.EXTRA, ""),
        ("passthru", ParameterKind.EXTRA, ""),
        ("", ParameterKind.EXTRA, ""),
        ("[]", ParameterKind.EXTRA, ""),
        ("[Status]", ParameterKind.EXTRA, ""),
        ("Stream[[Status]]", ParameterKind.EXTRA, ""),
        ("Call%2525253Sid", ParameterKind.EXTRA, ""),
        ("CallSid" + " " * 300, ParameterKind.CALL, "call_sid"),
        ("CallSid" + "_" * 300, ParameterKind.EXTRA, ""),
        ("Stream" + "[Status]" * 100, ParameterKind.EXTRA, ""),
    ],
)
def test_what_a_key_names(key, kind, name):
    assert find_slot(key)[:2] == (kind, name)


@pytest.mark.parametrize(
    ("key", "index", "rest"),
    [
        ("Legs[1][Insights][Status]", 1, "Insights[Status]"),
        ("Legs[0][dialed_number]", 0, "dialed_number"),
        ("Legs[3][A][B][C]", 3, "A[B][C]"),
    ],
)
def test_what_stands_below_a_leg(key, index, rest):
    slot = find_slot(key)
    assert (slot.leg, slot.rest, slot.name) == (index, rest, "")


@pytest.mark.parametrize(
    ("key", "spelling"),
    [
        ("CallSid", Spelling.PLAIN),
        ("digits", Spelling.PLAIN),  # Exotel itself writes these three so
        ("flow_id", Spelling.PLAIN),
        ("tenant_id", Spelling.PLAIN),
        ("Stream[StreamSID]", Spelling.PLAIN),
        ("callsid", Spelling.LOWER),
        ("stream[status]", Spelling.LOWER),
        ("call_sid", Spelling.SNAKE),
        ("stream.Status", Spelling.DOTTED),
        ("stream.status", Spelling.DOTTED | Spelling.LOWER),
        ("Stream%5BStatus%5D", Spelling.TWICE),
        ("Stream[Status", Spelling.UNPAIRED),
        ("somebody_elses", Spelling.PLAIN),
    ],
)
def test_what_a_spelling_says(key, spelling):
    slot = find_slot(key)
    assert slot.spelling == spelling
    assert slot.odd == bool(spelling)


@pytest.mark.parametrize(
    ("keys", "struct"),
    [
        (STREAM_KEYS, Stream),
        (LEG_KEYS, Leg),
        (CALL_KEYS, Passthru),
    ],
    ids=["stream", "leg", "call"],
)
def test_every_field_has_a_key(keys, struct):
    """What the value types can hold has a key, or is made of several or of what is left."""
    made = {"index", "extra", "from_raw", "to_raw", "agent_status", "legs", "stream", "dialect",
            "region", "noted"}  # fmt: skip
    assert set(struct.__struct_fields__) - made == set(keys)


@given(st.text() | st.text("StreamLgsid[]%5BD25._- 01\n", max_size=40))
def test_find_slot_is_total(key):
    """Any key has a place, the same at every asking, and stands there as sent if it has no name."""
    slot = find_slot(key)
    assert isinstance(slot, Slot)
    assert slot == slot_of(key)
    if slot.kind is ParameterKind.EXTRA:
        assert slot.key.strip() == slot.key
        assert len(slot.key) <= len(key)


@given(st.text(min_size=LONGEST_KEY + 1).filter(lambda key: len(key.strip()) > LONGEST_KEY))
def test_a_key_too_long_is_kept_unread(key):
    assert find_slot(key) == Slot(ParameterKind.EXTRA, "", False, key.strip())


@pytest.mark.parametrize("key", ["Stream-Sid", "stream.sid", "STREAM_SID", "__streamsid.."])
def test_fold_is_one_rule(key):
    assert fold(key) == "streamsid"
