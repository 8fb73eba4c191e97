"""Fetching a recording: each way that Exotel may answer, and that nothing leads elsewhere."""

from __future__ import annotations

import asyncio
import base64

import httpx2
import pytest

from switchhook.exotel import recording_client
from switchhook.exotel.recording import ByteRange, NoRecording, OpenRecording, RecordingPlace
from switchhook.exotel.recording_client import Login, open_recording

PLACE = RecordingPlace("https://recordings.exotel.com/exotelrecordings/a/s.mp3", "mp3")
LOGIN = Login("the-key", "the-token")
SOUND = bytes(range(100))
MP3 = {"Content-Type": "audio/mpeg"}


def whole(status=200, headers=MP3, body=SOUND):
    async def pieces():
        for at in range(0, len(body), 7):
            yield body[at : at + 7]

    length = {"Content-Length": str(len(body))}
    return httpx2.Response(status, headers={**headers, **length}, content=pieces())


async def public(_host, _port):
    return ["13.126.0.1"]


def fetch(answer, wanted=None, resolve=public, place=PLACE):
    """What comes, whole, and the requests that were sent for it."""
    asked = []

    def handle(request):
        asked.append(request)
        return answer(request) if callable(answer) else answer

    async def main():
        transport = httpx2.MockTransport(handle)
        opened = await open_recording(place, LOGIN, wanted, resolve=resolve, transport=transport)
        if isinstance(opened, NoRecording):
            return opened, b""
        try:
            return opened, b"".join([piece async for piece in opened.pieces])
        finally:
            await opened.close()

    opened, body = asyncio.run(main())
    return opened, body, asked


def test_a_recording_comes_with_the_accounts_key_from_the_address_that_was_looked_at():
    opened, body, (request,) = fetch(whole())
    assert isinstance(opened, OpenRecording)
    assert (body, opened.length, opened.range) == (SOUND, 100, None)
    assert str(request.url) == "https://13.126.0.1/exotelrecordings/a/s.mp3"
    assert request.headers["host"] == "recordings.exotel.com"
    assert request.extensions["sni_hostname"] == "recordings.exotel.com"
    login = base64.b64encode(b"the-key:the-token").decode()
    assert request.headers["authorization"] == f"Basic {login}"


def test_a_part_is_asked_for_and_given():
    headers = MP3 | {"Content-Range": "bytes 10-19/100"}
    answer = whole(206, headers, SOUND[10:20])
    opened, body, (request,) = fetch(answer, ByteRange(10, 19))
    assert request.headers["range"] == "bytes=10-19"
    assert (body, opened.length, opened.range) == (SOUND[10:20], 10, (10, 19, 100))


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [(ByteRange(0, 0), 0, 0), (ByteRange(90), 90, 99), (ByteRange(95, 500), 95, 99)],
)
def test_of_a_whole_answer_the_part_is_cut(wanted, first, last):
    opened, body, _ = fetch(whole(), wanted)
    assert opened.range == (first, last, 100)
    assert body == SOUND[first : last + 1]
    assert opened.length == len(body)


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (httpx2.Response(404), 404, "not there yet"),
        (httpx2.Response(410), 404, "deleted"),
        (httpx2.Response(401), 502, "key and token"),
        (httpx2.Response(403), 502, "refuses"),
        (httpx2.Response(302, headers={"Location": "http://evil.example"}), 502, "not followed"),
        (httpx2.Response(429), 503, "too often"),
        (httpx2.Response(500), 502, "500"),
        (httpx2.Response(200, text="<html>"), 502, "no sound"),
        (httpx2.Response(200, headers={"Content-Type": "audio/wav"}), 502, "no sound"),
        (
            httpx2.Response(200, headers=MP3 | {"Content-Length": str(2**40)}),
            502,
            "larger than 256 MiB",
        ),
        (httpx2.Response(206, headers=MP3 | {"Content-Range": "bytes 0-4/9"}), 502, "another part"),
        (httpx2.Response(206, headers=MP3 | {"Content-Range": "x"}), 502, "another part"),
    ],
)
def test_what_is_no_recording_is_said(answer, status, said):
    opened, _, asked = fetch(answer, ByteRange(5))
    assert isinstance(opened, NoRecording)
    assert opened.status == status
    assert said in opened.problem
    assert len(asked) == 1


@pytest.mark.parametrize("error", [httpx2.ConnectError("x"), httpx2.ReadTimeout("the-key")])
def test_who_does_not_answer_is_said_without_a_secret(error):
    def fail(_request):
        raise error

    opened, _, _ = fetch(fail)
    assert isinstance(opened, NoRecording)
    assert "key" not in opened.problem


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "fe80::1%eth0", "100.64.0.1", ""]
)
def test_a_private_address_is_not_asked(address):
    async def resolve(_host, _port):
        return ["13.126.0.1", address]

    opened, _, asked = fetch(whole(), resolve=resolve)
    assert isinstance(opened, NoRecording)
    assert "private address" in opened.problem
    assert not asked


def test_a_name_that_is_none_is_said():
    async def resolve(_host, _port):
        raise OSError("no such name")

    opened, _, asked = fetch(httpx2.Response(200), resolve=resolve)
    assert isinstance(opened, NoRecording)
    assert not asked


def test_what_never_ends_does(monkeypatch):
    monkeypatch.setattr(recording_client, "LARGEST", 250)

    async def endless():
        while True:
            yield SOUND

    def answer(_request):
        return httpx2.Response(200, headers=MP3, content=endless())

    opened, body, _ = fetch(answer)
    assert opened.length is None
    assert len(body) == 200


def test_a_login_shows_neither_key_nor_token():
    assert "the-" not in repr(LOGIN)
