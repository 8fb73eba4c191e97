"""Numbers in texts: found in every spelling, and what only looks like one left alone."""

import html
import json
import re
import unicodedata
from datetime import date
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.phone_numbers import FEWEST, Ours, counted, find_numbers, mask_text, masked

BETWEEN = [
    "", " ", "\u00a0", "\u2009", "-", "\u2010", "\u2011", "\u2013", "\u2014", "\u2212", ".", "/",
    "(", ")", ") ", " (", "[", "]", "\u200b", "\u200d", "\u2060", "\ufeff", "_", ",", ", ", "\t",
    "\u3164", "\u00b7", " - ", "+", "\u0301",
]  # fmt: skip
ZEROS = "0٠۰०০੦૦௦౦๐０𝟎𝟘"
MARKUP = ["<b>", "</b>", '<i class="x1">', "<!-- 7 -->"]


def plain_digits(text: str) -> str:
    """The text with each digit of any script as an ASCII one; a judge of its own."""
    return "".join(
        str(int(unicodedata.numeric(c))) if unicodedata.numeric(c, -1.0) in range(10) else c
        for c in text
    )


def readings(text: str) -> set[str]:
    """What somebody could read there: as it stands, unescaped in any order, without markup."""
    found, new = set(), {text}
    while new:
        found |= new
        new = {
            read(each)
            for each in new
            for read in (unquote, html.unescape, unescaped, lambda t: re.sub(r"<[^<>]*>", "", t))
        } - found
    return found


def unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text


def leaks(number: str, text: str) -> str | None:
    """Seven digits of a number that are read in a row in a text; None where there are none."""
    for reading in readings(text):
        for word in re.split(r"[^\W\d_]", plain_digits(reading)):
            digits = re.sub(r"[^0-9]", "", word)
            for at in range(len(number) - FEWEST + 1):
                if number[at : at + FEWEST] in digits:
                    return number[at : at + FEWEST]
    return None


def spell_percent(c: str) -> str:
    return "".join(f"%{byte:02X}" for byte in c.encode())


def spell_json(c: str) -> str:
    return json.dumps(c)[1:-1] if ord(c) > 127 else f"\\u{ord(c):04x}"


ESCAPES = {
    "as it is": lambda text: text,
    "percent": lambda text: "".join(map(spell_percent, text)),
    "percent where needed": lambda text: quote(text, safe=""),
    "percent twice": lambda text: quote("".join(map(spell_percent, text)), safe=""),
    "json": lambda text: "".join(map(spell_json, text)),
    "json's slashes": lambda text: text.replace("/", "\\/"),
    "json in percent": lambda text: quote("".join(map(spell_json, text)), safe=""),
    "json in json": lambda text: json.dumps(json.dumps(text)),
    "html": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "html in hex": lambda text: "".join(f"&#x{ord(c):x};" for c in text),
}


@st.composite
def spelt_numbers(draw):
    """A number's digits, and one of its spellings."""
    digits = draw(st.from_regex(r"[1-9][0-9]{9,13}", fullmatch=True))
    if digits[:2] in ("19", "20"):  # might be a date
        digits = "91" + digits[2:]
    zero = draw(st.sampled_from(ZEROS))
    between = draw(st.lists(st.sampled_from(BETWEEN), min_size=1, max_size=3))
    groups = draw(st.integers(1, 5))
    text = digits[0]
    for at, digit in enumerate(digits[1:], 1):
        text += (between[at % len(between)] if at % groups == 0 else "") + digit
    shown = "".join(chr(ord(zero) + int(c)) if c in "0123456789" else c for c in text)
    return digits, ESCAPES[draw(st.sampled_from(sorted(ESCAPES)))](shown)


def looks_like_an_address(spelt: str) -> bool:
    return (
        re.search(r"\d{1,3}([.-])\d{1,3}\1\d{1,3}\1\d{1,3}", " ".join(readings(spelt))) is not None
    )


WORDS = st.one_of(
    st.sampled_from(["", "cust", "CallFrom=", "sip:", "tel:+", "x[", '{"a":"', "%22", "\\", "a%"]),
    st.text(max_size=12),
)


@given(spelt_numbers(), WORDS, WORDS)
def test_no_seven_digits_of_a_number_leave(spelt, before, after):
    """In any spelling, embedded in any text."""
    digits, spelling = spelt
    if looks_like_an_address(spelling) or any(c in before[-1:] for c in "₹$€"):
        return
    shown = mask_text(before + spelling + after)
    assert leaks(digits, shown) is None, shown


@given(st.text(alphabet="0123456789abcdef%u\\&#;.:-/ +x<>T२٣", max_size=60))
def test_masking_is_total_and_stays_put(text):
    """Nothing raises; what isn't hidden stands as it stood; once is enough but for leftovers."""
    shown = mask_text(text)
    pieces = [re.escape(piece) for piece in shown.split("•")]
    assert re.fullmatch("(?s:.{1,40}?)".join(pieces).replace("(?s:.{1,40}?)", "(?s:.+?)"), text)


@pytest.mark.parametrize(
    "text",
    [
        "1" * 50_000,
        "%39" * 20_000,
        "\\" * 50_000,
        "&#" * 30_000,
        "<a" * 30_000,
        "1-" * 30_000,
        "a1" * 30_000,
        ":1" * 30_000,
    ],
)
def test_long_texts_take_no_long_time(text):
    """Each sign is looked at a bounded number of times."""
    assert len(mask_text(text)) <= len(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("call +91 98765 43210 back", "call +91 ••••• •••10 back"),
        ("cust9876543210x", "cust9•••••••10x"),
        ("CallFrom=%2B919876543210&a=1", "CallFrom=%2B9•••••••••10&a=1"),
        ("%39%38%37%36%35%34%33", "%39••••%34%33"),
        ('{"a":"\\u0039\\u00387654321"}', '{"a":"\\u0039••••••21"}'),
        ("98\\/765\\/43210", "9•\\/•••\\/•••10"),
        ("<sip:9876543210@bot.example;user=phone>", "<sip:9•••••••10@bot.example;user=phone>"),
        ("<b>98765</b><i>43210</i>", "<b>9••••</b><i>•••10</i>"),
        ("९८७६५४३२१०", "९•••••••१०"),
        ("九八七六五四三二一〇", "九•••••••一〇"),
        ("9876543210 2026-11-28", "9•••••••10 2026-11-28"),
        ("cafe9876543210feed", "cafe9•••••••10feed"),
        ("a1b2c3x9876543210d4e5", "a1b2c3x9•••••••10d4e5"),
        ("a1b2c9876543210d4e5f", "a1b2c9•••••••10d4e5f"),
        ("&#xaef;" * 7, "&#xaef;" + "•" * 4 + "&#xaef;" * 2),
        ("1234567 of 12", "1••••67 of 12"),
    ],
)
def test_how_numbers_are_masked(text, shown):
    assert mask_text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "b68e46bca0fd4e1c9a7789643f6d1abo",
        "CallSid=7f31bb90c2d84e0fa6550e1d9c2b197d&Status=failed",
        "0123456789ab4cdef0123456789a197d",
        "01m8hnjxdk0000bxf0zwv62jje",
        "550e8400-e29b-41d4-a716-446655440000",
        "fp_1a2b3c4d5e6f7a8b",
        "a3f5b1c2d4e6f7089a1b2c3d4e5f60718293a4b5c6d7e8f9012a3b4c5d6e7f80",
        "2026-11-28",
        "2026-11-28 18:09:55,123 INFO",
        "2026-11-28T18:09:55.123456Z",
        "2026-11-28T18:09:55+05:30",
        "2026-11-28%2018%3A09%3A55",
        "2026-11-28+18:09:55",
        "28/11/2026 18:09",
        "20261128T180955Z",
        "Sat, 28 Nov 2026 18:09:55 +0530",
        "Wed%2C+31+Jul+2024+16%3A42%3A56",
        "28/Nov/2026:18:09:55 +0000",
        "18:06:08.123456 IST",
        'hours = "9:00-21:00"',
        "09:00-13:00, 14:00-18:30 on weekdays",
        "2026-12-01T09:00:00+05:30/2026-12-02T09:00:00+05:30",
        "10.0.0.1:8080",
        "from 192.168.100.123 by",
        "10.20.0.0/16",
        "[2001:db8::1]:8443",
        "2001:db8:0:12:3456:789a:bc:1",
        "wss://bot-2.example.com:8443/ws?x=1",
        "ec2-13-232-101-17.ap-south-1.compute.amazonaws.com",
        "13.232.101.17.nip.io",
        "₹12,34,567.50",
        "Rs. 1234567.00",
        "duration 12.345 s",
        "503 of 1,204",
        "12,345,678 records",
        "exotel1m",
    ],
)
def test_what_only_looks_like_a_number_stays(text):
    assert mask_text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "98:76-54:32",
        "109:12-23:45",
        "09:12-23:456",
        "09:12-23:45-67",
        "09:12-23:45, 678",
        "09:12-23:45 (678)",
        "09:12-23:45;678",
        "09:12-23:45<b>678</b>",
        "09:12-23:45%20678",
        "(091) 09:12-23:45",
        "+91 09:12-23:45",
        "9 - 09:12-23:45",
        "10:00-13:00, 14:00-19:00, 678",
        "2026-12-01T09:00:00+05:30/9876543",
    ],
)
def test_hours_hide_no_number_that_they_are_a_part_of(text):
    (number, *_) = find_numbers(text)
    assert leaks(number.digits, mask_text(text)) is None
    assert len(number.digits) >= FEWEST


@pytest.mark.parametrize("currency", ["₹", "$", "€ ", "Rs.", "Rs ", "INR ", "USD "])
@pytest.mark.parametrize("number", ["9871459302", "98714,59302", "98714.59302", "9,87,14,59,302"])
def test_a_full_number_is_no_amount_whatever_currency_stands_before_it(currency, number):
    assert leaks("9871459302", mask_text(currency + number)) is None


def test_a_field_for_numbers_hides_short_ones_too():
    assert masked("12345") == "•••••"
    assert masked("+919876543210") == "+91••••••••10"
    assert masked(None) is None


def test_found_numbers_tell_where_each_digit_stands():
    """For those who take the digits out."""
    text = "a %2B9876%35-43210 b"
    (found,) = find_numbers(text)
    assert found.digits == "9876543210"
    assert text[found.start : found.end] == "9876%35-43210"
    assert [text[start:end] for start, end in found.places][4] == "%35"


NUMBER = "9871459302"


@given(
    st.integers(0, 10**14 - 1), st.integers(0, 12), st.sampled_from(["", "-wal", " (it is", ":"])
)
def test_a_segment_s_name_stays_whole(seq, try_, after):
    """People copy it; whatever its number is, in any sentence and with any number beside it."""
    name = f"{seq:020d}{f'-{try_}' if try_ else ''}.sqlite{after}"
    for before in ("segment ", "(segment ", "journal/", "/srv/data/journal/", ""):
        assert mask_text(before + name) == before + name
    assert mask_text(f"{name} {NUMBER}") == f"{name} 9•••••••02"


@given(st.integers(1, 10**16), st.integers(1, 10**16), st.dates(date(2000, 1, 1), date(2099, 1, 1)))
def test_what_we_count_between_two_and_tables_of_days_stay_whole(first, last, day):
    for said in (
        f"records {counted(first)} to {counted(last)} are missing",
        f"journal segment cluster_receipt_{day:%Y%m%d}: is gone",
        f"journal segment undated_{day:%Y%m%d}: is gone",
    ):
        assert mask_text(said) == said


@given(st.lists(st.tuples(st.ip_addresses(v=4), st.integers(1, 65535) | st.none()), min_size=1))
def test_addresses_of_machines_stay_whole_however_many_stand_in_a_row(machines):
    """As hosts of a database do in its URL."""
    hosts = [str(host) if port is None else f"{host}:{port}" for host, port in machines]
    for between in (",", ", "):
        said = f"postgresql://switchhook@{between.join(hosts)}/switchhook: it is away"
        assert mask_text(said) == said


@given(st.integers(0, 10**16), st.sampled_from(["record", "records", "seq", "entry", "node"]))
def test_what_we_count_stays_whole_beside_its_word(number, word):
    for said in (
        f"{word} {counted(number)} of the journal is damaged",
        f"it has {counted(number)} bytes, {counted(number)} records and {counted(number)} commits",
        f"two machines run as mumbai-2 ({word} {counted(number)}): 12,345 of them, and 12 others",
    ):
        assert mask_text(said) == said


@pytest.mark.parametrize(
    "text",
    [
        "bytes are in refused/12345678.bin",
        "get back switchhook-erasures-4021345678.json",
        "held by switchhook answer (process 4194303 on host, since 2026-11-29T10:00:00+00:00)",
        "those of 2026-11-29T10:00:00.000+00:00 (sha256:8696106188321234) go on running",
        "fp_0468217612345678",
        "01n97920470000000054123924",
        "the newest is backup-20261129.tar.gz of 2026-11-29T10:00:00+00:00",
        "20261129-0300.tgz",
        "switchhook-2026-11-29_03-00-00.tar.gz.age",
        "b_1795000000.tar.gz",
        "host-7-20261129T030000.tar.gz-1",
    ],
)
def test_what_is_ours_stays_whole(text):
    assert mask_text(text) == text


@pytest.mark.parametrize("digits", [NUMBER, "919871459302", "6581234567", "81234567"])
@pytest.mark.parametrize(
    "text",
    [
        "{}.sqlite",
        "0000{}.sqlite",
        "000000000{}.bin",
        "journal/{}",
        "please record {}",
        "record {}, node {}",
        "entry {}",
        "process {} on monday",
        "(process {})",
        "{} bytes",
        "fp_{}",
        "sha256:{}",
        "erasures-{}.json",
        "refused/{}.txt",
        "{}.tar.gz",
        "call-{}.tgz",
        "20261129-{}.tar.gz",
        "{}-20261129.tar.gz",
        "20261129 {}",
        "cluster_receipt_{}",
        "undated_{}",
        "records {} to {}",
        "node {}'s",
        "node 98: {}",
        "node 98): {}",
        "10.0.0.11:5432,{}",
        "{},10.0.0.11:5432",
        "a{}b",
    ],
)
def test_a_number_that_stands_where_ours_do_is_masked(text, digits):
    assert leaks(digits, mask_text(text.format(*[digits] * 2))) is None


def test_a_text_that_says_that_it_is_ours_stays_and_what_is_made_of_it_does_not():
    ours = Ours("9871459302123456")
    assert mask_text(ours) == ours
    assert mask_text(f"id {ours}") == "id 9•••••••••••••56"
