"""Rules that a bot breaks: told once, counted, and with what a caller hears of it."""

from __future__ import annotations

import pytest

from switchhook.emulator.stream.violations import UNHEARD, ViolationWatch

OURS, OTHER = "ours", "another"


@pytest.mark.parametrize(
    "rate, size, ahead, rules",
    [
        (8000, 3200, 0.0, []),
        (8000, 1600, 0.0, []),  # 100 ms, what Exotel's own bots send
        (8000, 3201, 0.0, ["odd-length", "not-a-multiple-of-320"]),
        (8000, 3300, 0.0, ["not-a-multiple-of-320"]),
        (8000, 100_160, 0.0, ["over-100000-bytes"]),
        (8000, 3200, 9.0, ["burst"]),
        (16_000, 3200, 0.0, []),
        (24_000, 4800, 0.0, []),
    ],
)
def test_a_broken_rule_is_told_once_and_counted(rate, size, ahead, rules):
    watch = ViolationWatch(rate)
    assert [breach.rule for breach in watch.chunk(size, ahead)] == rules
    assert watch.chunk(size, ahead) == []
    assert watch.counts == dict.fromkeys(rules, 2)


@pytest.mark.parametrize(
    "rate, size, words",
    [
        (8000, 320, "320 bytes (20 ms at 8 kHz)"),
        (16_000, 1920, "1,920 bytes (60 ms at 16 kHz)"),
        (24_000, 3200, "3,200 bytes (66.7 ms at 24 kHz)"),
    ],
)
def test_a_chunk_is_short_by_its_milliseconds_at_the_rate(rate, size, words):
    watch = ViolationWatch(rate)
    assert watch.chunk(size, -9.0) == []
    (breach,) = watch.chunk(size, 0.1)
    assert breach.rule == "under-100-ms"
    assert words in breach.said
    assert f"collect {rate // 5:,} bytes" in breach.consequence


def test_the_last_chunk_of_an_utterance_may_be_short():
    watch = ViolationWatch(8000)
    for _ in range(3):
        watch.chunk(3200, -2.0)
        watch.chunk(640, 0.2)
    assert watch.counts == {}
    watch.chunk(3200, -0.1)  # too soon for another utterance
    assert watch.counts == {"under-100-ms": 1}


@pytest.mark.parametrize(
    "head, kind",
    [(b"RIFF\x24\0\0\0WAVE", "WAV"), (b"ID3\4", "MP3"), (b"OggS", "Ogg"), (b"\0\0\1\0", "")],
)
def test_a_file_is_no_bare_audio(head, kind):
    found = ViolationWatch(8000).raw(head)
    assert [breach.rule for breach in found] == (["not-raw-pcm"] if kind else [])
    assert not kind or f"a {kind} file" in found[0].said


@pytest.mark.parametrize(
    "said, rules", [(OURS, []), (None, ["missing-stream-sid"]), (OTHER, ["unknown-stream-sid"])]
)
@pytest.mark.parametrize("event", ["media", "mark", "clear"])
def test_every_message_names_its_stream(event, said, rules):
    found = ViolationWatch(8000).stream_sid(event, said, OURS)
    assert [breach.rule for breach in found] == rules
    assert all(breach.said.startswith(event) for breach in found)


def test_other_breaches():
    watch = ViolationWatch(8000)
    found = [
        *watch.bad_base64("x"),
        *watch.binary_frame(3),
        *watch.unreadable("x"),
        *watch.unknown_event("hangup"),
        *watch.one_way("media"),
        *watch.silence(10, sent=False),
        *watch.silence(10, sent=True),
        *watch.chunk(3200, 0.0, int_numbers=True),
    ]
    assert [breach.rule for breach in found] == [
        "wrong-base64", "binary-frame", "unreadable", "unknown-event", "one-way-stream",
        "no-audio", "silence-only", "numbers-as-numbers",
    ]  # fmt: skip
    assert all(breach.said and breach.consequence for breach in found)
    assert "mu-law" in UNHEARD
    assert {"stream-sid-spelling", "unknown-event", "numbers-as-numbers"}.isdisjoint(UNHEARD)
