"""The bot talks, listens and misbehaves as its tables say, in-process and over a socket."""

from __future__ import annotations

import asyncio
import base64
import json
from array import array
from typing import get_args

import msgspec
import pytest
import websockets
from hypothesis import given
from hypothesis import strategies as st

from switchhook.emulator.bot import BotScript, ScriptRefusal, app, make_bot, read_script, script
from switchhook.emulator.bot.script import NAMED
from switchhook.emulator.bot.sound import chunks, speech
from switchhook.emulator.bot.voice_activity import VoiceActivity
from switchhook.emulator.clock import VirtualLoop
from switchhook.emulator.net.serving import serving

SID = "5f2b8a9c0d1e4f60718293a4b5c61a14"


def start_text(rate="8000", custom=None, **other):
    body = {
        "stream_sid": SID,
        "call_sid": "c1",
        "account_sid": "exotelt",
        "from": "09876543210",
        "to": "08047112233",
        "custom_parameters": custom or {},
        "media_format": {"encoding": "base64", "sample_rate": rate, "bit_rate": "128kbps"},
    }
    message = {"event": "start", "sequence_number": "1", "stream_sid": SID, "start": body}
    return json.dumps(message | other)


def media_text(pcm):
    media = {"chunk": "1", "timestamp": "20", "payload": base64.b64encode(pcm).decode()}
    return json.dumps({"event": "media", "stream_sid": SID, "media": media})


class Stream:
    """A small Exotel in this process: it plays what the bot says, echoes marks, and speaks."""

    def __init__(self, target="/bot", *, rate=8000, custom=None, start=None, extensions=True):
        self.path, _, query = target.partition("?")
        self.query = query.encode()
        self.rate = rate
        self.start = start or start_text(str(rate), custom)
        self.extensions = {"websocket.http.response": {}} if extensions else {}
        self.loop = asyncio.get_running_loop()
        self.to_bot = asyncio.Queue()
        self.to_bot.put_nowait({"type": "websocket.connect"})
        self.said = []  # (time, message as it was sent)
        self.accepted_at = self.status = self.close = self.ended_at = None
        self.echo = True
        self._free_at = 0.0
        self._marks = []

    async def call(self, app=None, *, also=None):
        """Run the stream to its end; `also` is what the caller does meanwhile."""
        scope = {"type": "websocket", "path": self.path, "query_string": self.query}
        caller = asyncio.ensure_future(also(self)) if also else None
        await (app or make_bot())(
            scope | {"extensions": self.extensions}, self.to_bot.get, self._from_bot
        )
        self.ended_at = self.loop.time()
        if caller:
            caller.cancel()
        return self

    @property
    def end(self):
        """The close code as the other side sees it."""
        return self.close["code"] if self.close else 1006

    async def _from_bot(self, message):
        kind = message["type"]
        if kind == "websocket.accept":
            self.accepted_at = self.loop.time()
            self.tell('{"event": "connected"}')
            self.tell(self.start)
        elif kind == "websocket.close":
            self.close = {"code": 1000, "reason": ""} | message
        elif kind == "websocket.http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        elif kind == "websocket.http.response.body":
            self.body = message["body"].decode()
        else:
            self.said.append((self.loop.time(), message))
            if "text" in message and message["text"].startswith('{"event"'):
                self._play(json.loads(message["text"]))

    def _play(self, message):
        if message["event"] == "media":
            seconds = len(payload(message) or b"") / 2 / self.rate
            self._free_at = max(self._free_at, self.loop.time()) + seconds
        elif message["event"] == "clear":
            self._free_at = self.loop.time()
            while self._marks:
                self._marks.pop().cancel()
        elif message["event"] == "mark" and self.echo:
            text = json.dumps({"event": "mark", "stream_sid": SID, "mark": message["mark"]})
            self._marks.append(self.loop.call_at(self._free_at, self.tell, text))

    def tell(self, text):
        self.to_bot.put_nowait({"type": "websocket.receive", "text": text})

    def hang_up(self, code=1000):
        self.to_bot.put_nowait({"type": "websocket.disconnect", "code": code})

    async def speak(self, seconds, loudness=8000):
        """Frames of 20 ms; a loudness of 0 is silence."""
        frame = array("h", [loudness, -loudness] * (self.rate // 100)).tobytes()
        for _ in range(round(seconds * 50)):
            self.tell(media_text(frame))
            await asyncio.sleep(0.02)

    def events(self, kind):
        """(time, message) of what the bot sent, of one kind."""
        return [
            (at, json.loads(message["text"]))
            for at, message in self.said
            if message.get("text", "").startswith(f'{{"event":"{kind}"')
        ]

    def audio(self):
        return b"".join(payload(message) or b"" for _, message in self.events("media"))


def payload(message):
    try:
        return base64.b64decode(message["media"]["payload"], validate=True)
    except ValueError:
        return None


def hold(target="/bot", *, also=None, app=None, **stream):
    """One stream on a virtual clock, from dial to end."""

    async def main():
        return await Stream(target, **stream).call(app, also=also)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


async def waits(stream):
    """A caller who says nothing, for half a minute."""
    await asyncio.sleep(30)
    stream.hang_up()


# Scripts.


@pytest.mark.parametrize(
    "path, query, expected",
    [
        ("/bot", {}, BotScript()),
        ("/", {}, BotScript()),
        ("", {}, BotScript()),
        ("/bot/", {}, BotScript()),
        ("/bot", {"say": "3", "then": "close"}, BotScript(say=3)),
        ("/bot", {"sample-rate": "16000"}, BotScript()),
        ("/bot", {"length": "2.5", "patience": "0"}, BotScript(length=2.5, patience=0)),
        ("/bot", {"code": "4400", "after": "7"}, BotScript(code=4400, after=7)),
        ("/bot", {"fail-first": "2", "key": "5"}, BotScript(fail_first=2, key="5")),
        ("/bot", {"handshake": "0.5"}, BotScript(handshake=0.5)),
        ("/bot", {"breach": "bad-base64"}, BotScript(breach="bad-base64")),
        ("/bot/talk", {}, BotScript(then="wait")),
        ("/bot/silent", {}, BotScript(say=0, then="wait")),
        ("/bot/crash", {}, BotScript(then="crash", after=2)),
        ("/bot/crash", {"after": "9"}, BotScript(then="crash", after=9)),
        ("/bot/error", {}, BotScript(code=1011, after=2)),
        ("/bot/policy", {}, BotScript(code=1008, after=2)),
        ("/bot/refuse", {}, BotScript(reject=401)),
        ("/bot/refuse", {"reject": "403"}, BotScript(reject=403)),
        ("/bot/late", {}, BotScript(handshake=12)),
        ("/bot/flaky", {}, BotScript(fail_first=1)),
    ],
)
def test_a_script_is_read_from_path_and_query(path, query, expected):
    assert read_script(path, query) == expected


@pytest.mark.parametrize(
    "path, query, status, words",
    [
        ("/robot", {}, 404, ["/robot", "/bot/crash", "/bot/silent"]),
        ("/bot/sad", {}, 404, ["/bot/sad", "/bot/talk"]),
        ("/bot", {"sya": "1"}, 400, ["sya", "say", "fail-first", "breach"]),
        ("/bot", {"fail_first": "1"}, 400, ["fail_first", "fail-first"]),
        ("/bot", {"say": "many"}, 400, ["say"]),
        ("/bot", {"say": "-1"}, 400, ["say", "0"]),
        ("/bot", {"say": ""}, 400, ["say"]),
        ("/bot", {"length": "0.1"}, 400, ["length", "0.2"]),
        ("/bot", {"after": "nan"}, 400, ["after"]),
        ("/bot", {"then": "vanish"}, 400, ["then", "vanish"]),
        ("/bot", {"code": "1006"}, 400, ["code", "1006"]),
        ("/bot", {"code": "1005"}, 400, ["code", "1005"]),
        ("/bot", {"code": "999"}, 400, ["code", "999"]),
        ("/bot", {"code": "5000"}, 400, ["code", "5000"]),
        ("/bot", {"reject": "200"}, 400, ["reject", "400"]),
        ("/bot", {"breach": "rude"}, 400, ["breach", "rude"]),
    ],
)
def test_what_it_does_not_know_is_refused_by_name(path, query, status, words):
    refusal = read_script(path, query)
    assert isinstance(refusal, ScriptRefusal)
    assert refusal.status == status
    for word in words:
        assert word in refusal.text


@given(st.dictionaries(st.text(), st.text()), st.text())
def test_reading_a_script_never_raises(query, path):
    assert isinstance(read_script(path, query), BotScript | ScriptRefusal)


@pytest.mark.parametrize(
    "script, turns",
    [
        (BotScript(), 3),
        (BotScript(say=7), 7),
        (BotScript(say=0), 0),
        (BotScript(after=5), None),
        (BotScript(then="wait"), None),
        (BotScript(then="crash"), 3),
        (BotScript(say=2, after=5), 2),
    ],
)
def test_how_many_things_it_says(script, turns):
    assert script.turns == turns


def test_what_a_query_leaves_open_is_the_default_s():
    default = BotScript(length=3, patience=1)
    assert read_script("/bot", {"patience": "2"}, default) == BotScript(length=3, patience=2)
    assert read_script("/bot/silent", {}, default).length == 3


def test_the_tables_of_the_docstring_have_every_name():
    text = script.__doc__
    for name, words in NAMED.items():
        query = "&".join(f"{key}={value}" for key, value in words.items())
        assert f"| `/bot/{name}` | `{query}` |" in text
    for field in msgspec.structs.fields(BotScript):
        assert f"| `{field.encode_name}` |" in text
    for breach in get_args(script.Violation):
        assert f"| `{breach}` |" in text


# Sound.


@pytest.mark.parametrize("rate", [8000, 16_000, 24_000])
def test_speech_is_loud_lively_and_the_same_each_time(rate):
    audio = speech(rate, 2.0, 1)
    assert len(audio) == rate * 4
    assert audio == speech(rate, 2.0, 1) == speech(rate, 2.0, 5)
    assert audio != speech(rate, 2.0, 2)
    samples = array("h", audio)
    assert 8000 < max(map(abs, samples)) <= 12_000
    step = rate // 100
    syllables = [max(map(abs, samples[at : at + step])) for at in range(0, len(samples), step)]
    assert min(syllables) < 3000 < max(syllables)


@given(st.sampled_from([8000, 16_000, 24_000]), st.floats(0.01, 5), st.integers(0, 9))
def test_speech_comes_in_whole_blocks(rate, seconds, turn):
    audio = speech(rate, seconds, turn)
    assert audio
    assert len(audio) % 320 == 0
    assert abs(len(audio) - seconds * rate * 2) <= 320


@given(st.binary(min_size=1, max_size=5000), st.integers(1, 700))
def test_chunks_are_all_of_one_size_and_lose_nothing(audio, size):
    pieces = list(chunks(audio, size))
    assert {len(piece) for piece in pieces} == {size}
    whole = b"".join(pieces)
    assert whole.startswith(audio)
    assert not whole[len(audio) :].strip(b"\0")
    assert len(whole) - len(audio) < size


def frames(seconds, loudness, rate=8000):
    frame = array("h", [loudness, -loudness] * (rate // 100)).tobytes()
    return [frame] * round(seconds * 50)


@pytest.mark.parametrize("rate", [8000, 16_000, 24_000])
@pytest.mark.parametrize(
    "parts, changes",
    [
        ([(2.0, 0)], []),
        ([(2.0, 300)], []),  # the noise of a line
        ([(0.04, 8000), (1.0, 0)], []),  # a click
        ([(0.5, 8000)], ["began"]),
        ([(0.5, 8000), (0.3, 0)], ["began"]),  # a breath
        ([(0.5, 8000), (0.7, 0)], ["began", "finished"]),
        ([(0.5, 8000), (0.3, 0), (0.5, 8000), (0.7, 0)], ["began", "finished"]),
        ([(0.5, 8000), (0.7, 0)] * 2, ["began", "finished"] * 2),
    ],
)
def test_the_ear_tells_speech_from_noise_and_breath(rate, parts, changes):
    ear = VoiceActivity(rate)
    said = [frame for seconds, loudness in parts for frame in frames(seconds, loudness, rate)]
    heard = [ear.hear(frame) for frame in said]
    assert [each for each in heard if each] == changes


@given(st.lists(st.binary(max_size=99)))
def test_the_ear_takes_anything(parts):
    ear = VoiceActivity(8000)
    assert {ear.hear(part) for part in parts} <= {None, "began", "finished"}


# Talk, on a virtual clock.


@pytest.mark.parametrize("rate, chunk", [(8000, 3200), (16_000, 6400), (24_000, 9600)])
def test_it_says_its_things_paced_and_closes(rate, chunk):
    stream = hold("/bot?say=2&patience=1", rate=rate)
    assert stream.end == 1000
    assert stream.audio() == speech(rate, 1.6, 0) + speech(rate, 1.6, 1)
    media = stream.events("media")
    assert {len(payload(message)) for _, message in media} == {chunk}
    first = [at for at, _ in media[:8]]
    assert first == pytest.approx([0.18 * number for number in range(8)])
    assert [message["mark"]["name"] for _, message in stream.events("mark")] == ["said-1", "said-2"]
    # The second after the first has been heard (1.6 s) and the caller's silence (1 s); its end
    # when it has been heard in turn.
    assert media[8][0] == pytest.approx(2.6)
    assert stream.ended_at == pytest.approx(4.2)


def test_messages_are_numbered_in_texts_and_name_their_stream():
    stream = hold("/bot?say=1")
    everything = [json.loads(message["text"]) for _, message in stream.said]
    assert {message["stream_sid"] for message in everything} == {SID}
    numbers = [message["sequence_number"] for message in everything]
    assert numbers == [str(number + 1) for number in range(9)]
    media = [message["media"] for message in everything[:-1]]
    assert [each["chunk"] for each in media] == [str(number + 1) for number in range(8)]
    assert [each["timestamp"] for each in media] == [str(number * 200) for number in range(8)]


def test_the_same_call_gets_the_same_bytes():
    assert hold("/bot").said == hold("/bot").said


def test_it_talks_for_as_long_as_it_is_told_to():
    stream = hold("/bot?after=20")
    assert (stream.end, stream.ended_at) == (1000, 20)
    assert len(stream.events("mark")) == 4


def test_it_talks_until_the_caller_hangs_up():
    stream = hold("/bot/talk", also=waits)
    assert stream.close is None
    assert stream.ended_at == 30
    assert len(stream.events("mark")) == 6


def test_said_all_it_keeps_silent_until_the_caller_hangs_up():
    stream = hold("/bot?say=1&then=wait", also=waits)
    assert stream.close is None
    assert stream.ended_at == 30
    assert len(stream.events("mark")) == 1


def test_told_to_wait_it_falls_silent_after_its_time():
    stream = hold("/bot?then=wait&after=1", also=waits)
    assert stream.ended_at == 30
    assert len(stream.events("media")) == 6


def test_the_silent_one_never_says_a_word():
    async def also(stream):
        await stream.speak(1)
        await stream.speak(1, 0)
        stream.tell('{"event": "dtmf", "dtmf": {"duration": "100", "digit": "5"}}')
        await waits(stream)

    stream = hold("/bot/silent", also=also)
    assert stream.accepted_at == 0
    assert stream.said == []
    assert stream.ended_at == 32


@pytest.mark.parametrize(
    "target, end",
    [("/bot?say=0&after=5", 1000), ("/bot?say=0&after=5&then=crash", 1006)],
)
def test_a_silent_one_can_be_told_when_to_end(target, end):
    stream = hold(target)
    assert (stream.end, stream.ended_at, stream.said) == (end, 5, [])


@pytest.mark.parametrize(
    "target, end, at",
    [
        ("/bot/crash", 1006, 2),
        ("/bot/crash?after=12", 1006, 12),
        ("/bot?say=1&then=crash", 1006, 1.6),
        ("/bot/error", 1011, 2),
        ("/bot/policy", 1008, 2),
        ("/bot?code=4400&after=3", 4400, 3),
        ("/bot?code=1001&say=1", 1001, 1.6),
    ],
)
def test_how_it_ends(target, end, at):
    stream = hold(target)
    assert stream.end == end
    assert stream.ended_at == pytest.approx(at)
    assert stream.audio()


def test_it_answers_when_the_caller_has_spoken():
    async def also(stream):
        await asyncio.sleep(2)
        await stream.speak(1)
        await stream.speak(1, 0)

    stream = hold("/bot?say=2&patience=60", also=also)
    assert stream.end == 1000
    # 0.6 s of silence after the 3rd second, noticed with the frame that completes them.
    assert stream.events("media")[8][0] == pytest.approx(3.58)
    assert not stream.events("clear")


def test_it_waits_for_a_caller_who_speaks_for_longer_than_its_patience():
    async def also(stream):
        await asyncio.sleep(2)
        await stream.speak(10)
        await stream.speak(1, 0)

    stream = hold("/bot?say=2&patience=1", also=also)
    assert stream.events("media")[8][0] == pytest.approx(12.58)


def test_spoken_over_it_stops_and_takes_back_what_is_left():
    async def also(stream):
        await asyncio.sleep(0.4)
        await stream.speak(1)
        await stream.speak(1, 0)

    stream = hold("/bot?say=2", also=also)
    clears = stream.events("clear")
    assert [at for at, _ in clears] == [pytest.approx(0.44)]  # with the third loud frame
    assert sum(at < 0.6 for at, _ in stream.events("media")) == 3
    assert [message["mark"]["name"] for _, message in stream.events("mark")] == ["said-2"]
    assert stream.events("media")[3][0] == pytest.approx(1.98)


def test_spoken_over_when_all_is_sent_but_not_heard_it_takes_back_the_rest():
    async def also(stream):
        await asyncio.sleep(1.46)
        await stream.speak(1)
        await stream.speak(1, 0)

    stream = hold("/bot?say=2", also=also)
    assert [at for at, _ in stream.events("clear")] == [pytest.approx(1.5)]
    assert len(stream.events("mark")) == 2


def test_a_mark_that_never_comes_back_is_not_waited_for():
    async def also(stream):
        stream.echo = False

    stream = hold("/bot?say=1", also=also)
    assert stream.end == 1000
    assert stream.ended_at == pytest.approx(1.44 + 2.6)


def test_a_digit_is_answered_with_a_beep():
    async def also(stream):
        await asyncio.sleep(10)
        stream.tell('{"event": "dtmf", "dtmf": {"duration": "100", "digit": "#"}}')
        await waits(stream)

    stream = hold("/bot?say=1&then=wait", also=also)
    at, message = stream.events("media")[8]
    assert at == 10
    assert len(payload(message)) == 6400
    assert stream.events("mark")[1][1]["mark"]["name"] == "dtmf-#"


@pytest.mark.parametrize("hangs_up, ended_at, end", [(True, 3, None), (False, 8, 1000)])
def test_after_stop_it_falls_silent_and_leaves_the_closing_to_exotel(hangs_up, ended_at, end):
    async def also(stream):
        await asyncio.sleep(3)
        stream.tell('{"event": "stop", "stop": {"reason": "callended"}}')
        if hangs_up:
            stream.hang_up()

    stream = hold("/bot?length=60", also=also)
    assert stream.ended_at == ended_at
    assert (stream.close["code"] if stream.close else None) == end
    assert all(at <= 3 for at, _ in stream.said)


@pytest.mark.parametrize("stage", ["handshake", "connected", "talk"])
def test_a_caller_may_leave_at_any_time(stage):
    async def also(stream):
        if stage == "connected":
            stream.start = '{"event": "connected"}'
        await asyncio.sleep(1)
        stream.hang_up(1006)

    stream = hold("/bot?handshake=5" if stage == "handshake" else "/bot", also=also)
    assert stream.ended_at == 1
    assert stream.close is None
    assert (stream.accepted_at is None) == (stage == "handshake")


def test_what_is_sent_to_a_caller_who_has_gone_ends_it_quietly():
    async def main():
        stream = Stream("/bot")

        async def broken(message):
            await stream._from_bot(message)
            if message["type"] == "websocket.send":
                raise ConnectionResetError

        scope = {"type": "websocket", "path": "/bot", "query_string": b""}
        await make_bot()(scope, stream.to_bot.get, broken)
        return len(stream.said)

    assert asyncio.run(main()) == 1


# What `start` says.


def test_custom_parameters_choose_the_script_too():
    stream = hold("/bot?say=9", custom={"say": "1", "code": "4400", "sample-rate": "8000"})
    assert stream.end == 4400
    assert len(stream.events("mark")) == 1


@pytest.mark.parametrize(
    "target, custom, words",
    [
        ("/bot", {"sya": "1"}, "sya"),
        ("/bot", {"say": "x"}, "say"),
        ("/bot", {"reject": "401"}, "reject: too late"),
        ("/bot", {"handshake": "3"}, "handshake: too late"),
        ("/bot?fail-first=0", {"fail-first": "1", "key": "k"}, "fail-first, key: too late"),
    ],
)
def test_a_wrong_custom_parameter_is_answered_with_1008(target, custom, words):
    stream = hold(target, custom=custom)
    assert stream.end == 1008
    assert words in stream.close["reason"]
    assert len(stream.close["reason"].encode()) <= 123


def test_what_was_said_at_the_handshake_may_be_said_again_in_start():
    assert hold("/bot?handshake=1&say=1", custom={"handshake": "1", "say": "1"}).end == 1000


@pytest.mark.parametrize(
    "start",
    [
        {"streamSid": SID, "callSid": "c1", "mediaFormat": {"sampleRate": "16000"}},
        {"stream_sid": SID, "media_format": {"sample_rate": 16000}},
    ],
)
def test_it_understands_both_styles_of_keys_and_numbers(start):
    text = json.dumps({"event": "start", "sequence_number": 1, "start": start})
    stream = hold("/bot?say=1", start=text, rate=16_000)
    assert stream.audio() == speech(16_000, 1.6, 0)
    assert stream.said
    assert stream.events("mark")[0][1]["stream_sid"] == SID


def test_camel_case_keeps_the_names_of_custom_parameters():
    start = {"streamSid": SID, "customParameters": {"fail-first": "0", "X": "1"}}
    stream = hold("/bot", start=json.dumps({"event": "start", "start": start}))
    assert stream.close["reason"].startswith("X: unknown")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        "[]",
        '{"no": "event"}',
        '{"event": "start"}',
        '{"event": "start", "start": {"stream_sid": 5}}',
        '{"event": "start", "stream_sid": "s", "start": {"media_format": {"sample_rate": "loud"}}}',
        '{"event": "start", "stream_sid": "s", "start": {"media_format": {"sample_rate": "1"}}}',
    ],
)
def test_a_start_that_cannot_be_read_is_answered_with_1007(text):
    async def main():
        stream = Stream("/bot")
        stream.start = text
        return await stream.call()

    stream = asyncio.run(main())
    assert stream.end == 1007
    assert stream.close["reason"]


@pytest.mark.parametrize(
    "text", ["{", '{"event": "media", "media": {"payload": "***"}}', '{"event": "mark", "mark": 1}']
)
@pytest.mark.parametrize("path", ["/bot", "/bot/silent", "/bot/talk"])
def test_garbage_in_the_talk_is_answered_with_1007(path, text):
    async def also(stream):
        await asyncio.sleep(1)
        stream.tell(text)

    stream = hold(path, also=also)
    assert (stream.end, stream.ended_at) == (1007, 1)


def test_messages_it_has_no_use_for_are_passed_over():
    async def also(stream):
        stream.tell('{"event": "clear", "stream_sid": "s"}')
        stream.tell('{"event": "news", "news": {"a": [1]}}')

    assert hold("/bot?say=1", also=also).end == 1000


# Handshakes.


def test_a_refusal_has_its_status_and_says_what_is_known():
    stream = hold("/bot?sya=1")
    assert stream.status == 400
    assert "sya: unknown" in stream.body
    assert stream.accepted_at is None


def test_a_server_without_the_extension_gets_a_plain_close():
    stream = hold("/bot/refuse", extensions=False)
    assert stream.status is None
    assert stream.close
    assert stream.accepted_at is None


def test_the_401_tells_how_to_authenticate():
    stream = hold("/bot/refuse")
    assert stream.status == 401
    assert stream.headers[b"www-authenticate"].startswith(b"Basic")


def test_a_slow_handshake_takes_its_time():
    stream = hold("/bot/late")
    assert stream.accepted_at == 12


def dial_in_turn(*targets):
    """The status of each handshake with one bot, None where it was accepted."""
    app = make_bot()
    return [hold(target, app=app).status for target in targets]


@pytest.mark.parametrize(
    "targets, statuses",
    [
        (["/bot/flaky"] * 4, [503, None] * 2),
        (["/bot?fail-first=2&reject=429"] * 4, [429, 429, None, 429]),
        (["/bot/flaky?key=a", "/bot/flaky?key=b"] * 2, [503, 503, None, None]),
        (["/bot/flaky?say=1", "/bot/flaky?say=2", "/bot/flaky?say=1"], [503, 503, None]),
        (["/bot/flaky?key=a&say=1", "/bot/flaky?say=2&key=a"], [503, None]),
        (["/bot/refuse"] * 2, [401, 401]),
    ],
)
def test_the_first_are_refused_and_the_next_taken(targets, statuses):
    assert dial_in_turn(*targets) == statuses


def test_it_remembers_only_so_many_whom_it_refused(monkeypatch):
    monkeypatch.setattr(app, "_KEYS_KEPT", 2)
    one, two, three = (f"/bot/flaky?key={key}" for key in "123")
    assert dial_in_turn(one, two, three, three, two, one) == [503, 503, 503, None, None, 503]


@pytest.mark.parametrize("kind", ["lifespan", "telephone"])
def test_it_serves_nothing_else(kind):
    async def main():
        with pytest.raises(ValueError, match=kind):
            await make_bot()({"type": kind}, None, None)

    asyncio.run(main())


# Breaches, each of one rule: exotel-platform C.4 and C.5.


def broken_rules(stream):
    """Which rules for bots a stream broke."""
    broken = set()
    free_at = 0.0
    for at, message in stream.said:
        if "bytes" in message:
            broken.add("binary")
            continue
        try:
            said = json.loads(message["text"])
        except ValueError:
            broken.add("garbage")
            continue
        if said["stream_sid"] != SID:
            broken.add("wrong-stream-sid")
        if said["event"] != "media":
            continue
        pcm = payload(said)
        if pcm is None:
            broken.add("bad-base64")
            continue
        if len(pcm) % 2:
            broken.add("odd")
        if len(pcm) % 320:
            broken.add("ragged")
        if len(pcm) < 3200:
            broken.add("tiny")
        if len(pcm) > 100_000:
            broken.add("oversize")
        free_at = max(free_at, at) + len(pcm) / 2 / stream.rate
        if free_at - at > 10:
            broken.add("burst")
    return broken


@pytest.mark.parametrize("rate", [8000, 16_000, 24_000])
@pytest.mark.parametrize(
    "breach, broken",
    [
        (None, set()),
        ("oversize", {"oversize"}),
        ("tiny", {"tiny"}),
        ("ragged", {"ragged"}),
        ("odd", {"odd", "ragged"}),
        ("burst", {"burst"}),
        ("bad-base64", {"bad-base64"}),
        ("wrong-stream-sid", {"wrong-stream-sid"}),
        ("binary", {"binary"}),
        ("garbage", {"garbage"}),
    ],
)
def test_a_breach_breaks_its_rule_and_no_other(rate, breach, broken):
    target = "/bot?say=2&patience=1" + (f"&breach={breach}" if breach else "")
    stream = hold(target, rate=rate)
    assert broken_rules(stream) == broken
    assert stream.end == 1000
    assert len(stream.events("mark")) == 2


def test_a_burst_is_thirty_seconds_at_once():
    stream = hold("/bot?say=1&breach=burst")
    assert {at for at, _ in stream.events("media")} == {0}
    assert len(stream.audio()) == 30 * 16_000
    assert stream.ended_at == pytest.approx(30)


# Over a real socket.


async def dial(url, *, custom=None, until=None, speech_over=False):
    """Frames received, and how it ended: (code received or 1006)."""
    received = []
    async with websockets.connect(url) as client:
        await client.send('{"event": "connected"}')
        await client.send(start_text(custom=custom))
        try:
            async for frame in client:
                received.append(frame)
                if until and until in frame:
                    break
                if isinstance(frame, str) and '"mark"' in frame:
                    await client.send(frame)
                if speech_over and '"media"' in frame:
                    for pcm in frames(0.1, 8000):
                        await client.send(media_text(pcm))
        except websockets.ConnectionClosedError:
            pass
    return received, client.close_code


def over_socket(target, **how):
    async def main():
        async with serving(make_bot()) as served:
            return await dial(served.ws_url + target, **how)

    return asyncio.run(main())


@pytest.mark.parametrize(
    "target, code",
    [
        ("/bot?say=1&length=0.2", 1000),
        ("/bot?say=1&length=0.2&code=1001", 1001),
        ("/bot/crash?after=0.05", 1006),
        ("/bot?say=1&length=0.2&then=crash", 1006),
        ("/bot/error?after=0.05", 1011),
        ("/bot/policy?after=0.05", 1008),
        ("/bot?code=4400&after=0.05", 4400),
        ("/bot?handshake=0.1&say=1&length=0.2", 1000),
    ],
)
def test_how_it_ends_over_a_socket(target, code, caplog):
    received, ended = over_socket(target)
    assert ended == code
    assert payload(json.loads(received[0])) == speech(8000, 0.2, 0)
    assert not caplog.records


@pytest.mark.parametrize(
    "breach", ["oversize", "tiny", "ragged", "odd", "bad-base64", "wrong-stream-sid", "garbage"]
)
def test_a_breach_over_a_socket(breach):
    received, _ = over_socket(f"/bot?say=1&length=0.2&breach={breach}", until='"media"')
    assert '"media"' in received[0]


def test_a_binary_frame_over_a_socket():
    received, _ = over_socket("/bot?say=1&length=0.2&breach=binary")
    assert received[1] == speech(8000, 0.2, 0)


def test_a_burst_over_a_socket():
    received, _ = over_socket("/bot?breach=burst", until='"mark"')
    assert sum(len(payload(json.loads(each))) for each in received[:-1]) == 480_000


def test_spoken_over_it_clears_over_a_socket():
    received, _ = over_socket("/bot?length=5", until='"clear"', speech_over=True)
    assert '"clear"' in received[-1]


def test_custom_parameters_over_a_socket():
    _, code = over_socket("/bot", custom={"say": "1", "length": "0.2", "code": "4001"})
    assert code == 4001


def test_silent_over_a_socket():
    async def main():
        async with serving(make_bot()) as served:
            async with websockets.connect(served.ws_url + "/bot/silent") as client:
                await client.send(start_text())
                await (await client.ping())
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(client.recv(), 0.05)
            return client.close_code

    assert asyncio.run(main()) == 1000


@pytest.mark.parametrize(
    "target, status, words",
    [
        ("/bot/refuse", 401, "refused"),
        ("/bot?reject=503", 503, "refused"),
        ("/bot?sya=1", 400, "sya: unknown; a bot knows say, "),
        ("/bot?say=x", 400, "say"),
        ("/robot", 404, "/bot/crash"),
    ],
)
def test_a_refused_handshake_over_a_socket(target, status, words):
    with pytest.raises(websockets.InvalidStatus) as refused:
        over_socket(target)
    assert refused.value.response.status_code == status
    assert words in refused.value.response.body.decode()


def test_refused_once_then_taken_over_a_socket():
    async def main():
        async with serving(make_bot()) as served:
            url = served.ws_url + "/bot/flaky?say=1&length=0.2&key=call-1"
            with pytest.raises(websockets.InvalidStatus, match="503"):
                await dial(url)
            return (await dial(url))[1]

    assert asyncio.run(main()) == 1000


def test_a_browser_is_told_what_this_is():
    async def main():
        async with serving(make_bot()) as served:
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(b"GET /bot HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            return answer

    answer = asyncio.run(main())
    assert answer.startswith(b"HTTP/1.1 426 ")
    assert b"| `/bot/crash` |" in answer
