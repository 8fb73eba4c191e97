"""Hearing a recording: the emulator's, through the console's pages, by those who may."""

from __future__ import annotations

import contextlib

import msgspec
import pytest

from asgi_client import Client
from browser.world import OPERATOR, VIEWER, World
from patience import PATIENCE_S
from switchhook.config import load_config
from switchhook.emulator.testing import Exotel
from switchhook.exotel.recording import NoRecording, OpenRecording
from switchhook.server.accounts import HeardAccount
from switchhook.server.pages import CallsShown, StreamPages
from switchhook.web.app import create_app
from switchhook.web.render import Renderer


class Hooks:
    """A passthru that takes whatever comes."""

    async def __call__(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture(scope="module")
def exotel():
    with Exotel() as made:
        made.passthru(Hooks())
        yield made


@pytest.fixture(scope="module")
def call(exotel):
    assert exotel.url, "recordings are there from now on"
    made = exotel.call(from_="+919811100001").wait()
    exotel.clock.advance(600)
    return made


def heard_account(exotel, **changed):
    account = exotel.account
    config = load_config(
        f'[accounts.main]\nsid = "{account.sid}"\nurl = "{exotel.url}"\n'
        'key_env = "KEY"\ntoken_env = "TOKEN"\npoll = false\nrecordings = true\n',
        file="s.toml",
        environ={"KEY": account.key, "TOKEN": account.token, **changed},
        read_file=lambda _: b"",
    )
    return HeardAccount(config.accounts[0])


class Desk:
    """The console's pages over a call that the emulator recorded."""

    def __init__(self, world, heard):
        self.world, self.deeds, self.viewer, self.heard = world, [], OPERATOR, heard
        pages = StreamPages(
            renderer=Renderer(lambda: world.state),
            journal=world.reader,
            store=world.store,
            folder=world.folder,
            calls=CallsShown(lambda _sid: (), lambda _endpoint: self.heard),
            note=self.deeds.append,
        )
        inner = create_app([pages])

        async def app(scope, receive, send):
            await inner(scope | {"viewer": self.viewer}, receive, send)

        self.client = Client(app, follow_redirects=False)

    def tell(self, url, **more):
        sid = self.world.tell("bot", RecordingUrl=url, **more)
        assert self.world.writer.flush(PATIENCE_S)
        assert self.world.folder.reach(self.world.reader.last_seq(), 10)
        return sid

    def get(self, path, **headers):
        return self.client.get(path, headers=headers)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("recordings"))
    yield world
    world.close()


@pytest.fixture
def desk(world, exotel):
    return Desk(world, heard_account(exotel))


@pytest.fixture
def url(call):
    found = call.passthrus[-1].parameters["Stream[RecordingUrl]"]
    assert "/exotelrecordings/" in found
    return found


def test_an_operator_hears_it_and_it_is_noted(desk, url):
    sid = desk.tell(url)
    page = desk.get(f"/calls/{sid}")
    assert f'href="/calls/{sid}/recordings/1"' in page.text
    assert "media-src 'self'" in page.headers["content-security-policy"]
    player = desk.get(f"/calls/{sid}/recordings/1")
    assert f'src="/calls/{sid}/recordings/1/sound"' in player.text
    (deed,) = desk.deeds
    assert (deed.who, deed.what, deed.subject) == (OPERATOR.name, "heard a recording", sid)
    sound = desk.get(f"/calls/{sid}/recordings/1/sound")
    assert sound.status_code == 200
    assert sound.headers["content-type"] == "audio/mpeg"
    assert sound.headers["accept-ranges"] == "bytes"
    assert sound.headers["cache-control"] == "no-store"
    assert len(sound.content) == int(sound.headers["content-length"]) > 500
    assert len(desk.deeds) == 1


def test_a_player_can_seek(desk, url):
    sid = desk.tell(url)
    path = f"/calls/{sid}/recordings/1/sound"
    whole = desk.get(path).content
    part = desk.get(path, Range="bytes=100-199")
    assert part.status_code == 206
    assert part.content == whole[100:200]
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    rest = desk.get(path, Range="bytes=300-")
    assert (rest.status_code, rest.content) == (206, whole[300:])
    assert desk.get(path, Range=f"bytes={len(whole)}-").status_code == 416


def test_who_may_not_hears_nothing(desk, url):
    sid = desk.tell(url)
    desk.viewer = VIEWER
    assert "An operator can hear them" in desk.get(f"/calls/{sid}").text
    for path in (f"/calls/{sid}/recordings/1", f"/calls/{sid}/recordings/1/sound"):
        assert desk.get(path).status_code == 403
    assert not desk.deeds


def test_an_account_that_does_not_allow_it_is_not_asked(desk, url):
    sid = desk.tell(url)
    desk.heard = None
    assert "recordings = true" in desk.get(f"/calls/{sid}").text
    assert "are not to be heard" in desk.get(f"/calls/{sid}/recordings/1").text
    assert desk.get(f"/calls/{sid}/recordings/1/sound").status_code == 404
    assert not desk.deeds


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda url: url.replace(".mp3", "x.mp3"), "Exotel has no such recording"),
        (lambda url: "https://evil.example" + url[url.index("/exotel") :], "none of Exotel"),
        (lambda url: url + "?x=1", "none of a recording at Exotel"),
    ],
)
def test_what_can_not_be_heard_says_why(desk, url, changed, said):
    sid = desk.tell(changed(url))
    page = desk.get(f"/calls/{sid}/recordings/1")
    assert page.status_code == 200
    assert said in page.text
    assert "<audio" not in page.text
    assert desk.get(f"/calls/{sid}/recordings/1/sound").status_code in (404, 502)


def test_a_key_that_is_refused_is_said(desk, exotel, url):
    sid = desk.tell(url)
    desk.heard = heard_account(exotel, TOKEN="another-token-than-it-is")
    assert "refuses the account" in desk.get(f"/calls/{sid}/recordings/1").text


def test_of_an_erased_person_none_is_offered(desk, url):
    sid = desk.tell(url, number="0erasedxxxx")
    assert "Recordings" not in desk.get(f"/calls/{sid}").text
    assert desk.get(f"/calls/{sid}/recordings/1").status_code == 404
    assert desk.get(f"/calls/{sid}/recordings/1/sound").status_code == 404


def test_a_number_that_is_none_is_not_there(desk, url):
    sid = desk.tell(url)
    for number in ("0", "2", "99"):
        assert desk.get(f"/calls/{sid}/recordings/{number}").status_code == 404
    assert desk.get("/calls/nothing/recordings/1").status_code == 404


def test_only_so_many_are_heard_at_once(desk, url, monkeypatch):
    monkeypatch.setattr("switchhook.calls.recording_page.MOST_AT_ONCE", 0)
    sid = desk.tell(url)
    assert "try again" in desk.get(f"/calls/{sid}/recordings/1").text
    assert not desk.deeds


def test_what_is_opened_is_closed(desk, url):
    closed = []

    class Watched:
        api_url = desk.heard.api_url

        async def open_recording(self, place, wanted, inner=desk.heard):
            opened = await inner.open_recording(place, wanted)
            if isinstance(opened, NoRecording):
                return opened

            async def close(done=opened.close):
                closed.append(place.url)
                await done()

            return msgspec.structs.replace(opened, close=close)

    sid = desk.tell(url)
    desk.heard = Watched()
    with contextlib.suppress(AssertionError):
        desk.get(f"/calls/{sid}/recordings/1")
    desk.get(f"/calls/{sid}/recordings/1/sound")
    assert closed == [url, url]
    assert OpenRecording.__doc__
