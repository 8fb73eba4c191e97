"""Where a recording may be fetched from, and which part: never elsewhere than at Exotel."""

from __future__ import annotations

import pytest

from switchhook.exotel.recording import ByteRange, RecordingPlace, place_of, read_range

API = "https://api.in.exotel.com"
PATH = "/exotelrecordings/acme1/0123456789abcdef.mp3"


@pytest.mark.parametrize(
    ("url", "api", "fetched"),
    [
        (f"https://recordings.exotel.com{PATH}", API, f"https://recordings.exotel.com{PATH}"),
        (f" https://Recordings.Exotel.com:443{PATH}", API, f"https://recordings.exotel.com{PATH}"),
        (f"https://recordings.exotel.com{PATH}", "http://127.0.0.1:9", f"http://127.0.0.1:9{PATH}"),
        (f"http://127.0.0.1:9{PATH}", "http://127.0.0.1:9", f"http://127.0.0.1:9{PATH}"),
    ],
)
def test_a_recording_is_fetched_from_where_its_account_is(url, api, fetched):
    assert place_of(url, api) == RecordingPlace(fetched, "mp3")


@pytest.mark.parametrize(
    "url",
    [
        f"http://recordings.exotel.com{PATH}",
        f"https://recordings.exotel.com.evil.example{PATH}",
        f"https://evil.example{PATH}",
        f"https://recordings.exotel.com@evil.example{PATH}",
        f"https://user@recordings.exotel.com{PATH}",
        f"https://recordings.exotel.com:8443{PATH}",
        f"https://recordings.exotel.com:port{PATH}",
        f"http://127.0.0.1:9{PATH}",
        f"https://127.0.0.1{PATH}",
        f"https://[::1]{PATH}",
        "https://169.254.169.254/latest/meta-data",
        "https://recordings.exotel.com/exotelrecordings/../v1/Accounts.mp3",
        "https://recordings.exotel.com/exotelrecordings/%2e%2e/x.mp3",
        "https://recordings.exotel.com/exotelrecordings/a//x.mp3",
        "https://recordings.exotel.com/other/x.mp3",
        "https://recordings.exotel.com/exotelrecordings/a/x.exe",
        f"https://recordings.exotel.com{PATH}?next=https://evil.example",
        f"https://recordings.exotel.com{PATH}#x",
        f"https://recordings.exotel.com\\@evil.example{PATH}",
        f"//recordings.exotel.com{PATH}",
        "file:///etc/passwd",
        "https://[",
        "",
    ],
)
def test_nothing_else_is_fetched(url):
    found = place_of(url, API)
    assert isinstance(found, str)
    assert "evil" not in found


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("bytes=0-", ByteRange(0)),
        (" bytes=5-9 ", ByteRange(5, 9)),
        (None, None),
        ("bytes=-5", None),
        ("bytes=9-5", None),
        ("bytes=0-1,4-5", None),
        ("items=0-1", None),
        ("bytes=" + "9" * 20 + "-", None),
    ],
)
def test_the_one_range_that_players_ask_for(header, wanted):
    assert read_range(header) == wanted


def test_a_range_is_asked_for_as_it_is_read():
    for wanted in (ByteRange(0), ByteRange(3, 9)):
        assert read_range(wanted.text) == wanted
