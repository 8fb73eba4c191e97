"""What callers say: exact lengths, the same bytes each time, and files that can't be played."""

from __future__ import annotations

import base64
import io
import wave

import pytest

from switchhook.emulator.sound.recording import mix, mp3, wav
from switchhook.emulator.sound.speech import SoundError, babble, frames, read_wav, tone


@pytest.mark.parametrize("rate", [8000, 16000, 24000])
def test_sounds_have_their_length_and_repeat(rate):
    for make in (lambda: tone(440, 0.5, rate), lambda: babble(7, 0.5, rate)):
        pcm = make()
        assert len(pcm) == rate
        assert any(pcm)
        assert make() == pcm
    assert babble(7, 0.5, rate) != babble(8, 0.5, rate)


def test_frames_are_whole():
    payloads = [base64.b64decode(frame) for frame in frames(b"\1" * 700, 8000)]
    assert [len(payload) for payload in payloads] == [320, 320, 320]
    assert payloads[2] == b"\1" * 60 + bytes(260)


def wav_of(channels, width, rate, data):
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(width)
        writer.setframerate(rate)
        writer.writeframes(data)
    return file.getvalue()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    "width, sample", [(1, b"\xc0"), (2, b"\0\x40"), (3, b"\0\0\x40"), (4, b"\0\0\0\x40")]
)
@pytest.mark.parametrize("rate", [8000, 11025, 44100])
def test_any_wav_of_pcm_becomes_our_rate(channels, width, sample, rate):
    data = wav_of(channels, width, rate, sample * channels * rate)
    pcm = read_wav(data, 8000)
    assert len(pcm) == 16000
    assert pcm == b"\0\x40" * 8000


@pytest.mark.parametrize("data", [b"", b"RIFF", b"\0" * 100, wav_of(1, 2, 8000, b"")[:30]])
def test_what_is_no_wav_says_so(data):
    with pytest.raises(SoundError, match="WAV"):
        read_wav(data, 8000)


def test_voices_are_mixed_and_cut_at_full_scale():
    loud = (30000).to_bytes(2, "little") * 8000
    pieces = [(0.0, loud), (0.5, loud), (1.9, loud), (5.0, loud)]
    track = b"".join(mix(8000, 2.0, pieces))
    assert len(track) == 32000
    samples = [int.from_bytes(track[n : n + 2], "little", signed=True) for n in (0, 12000, 20000)]
    assert samples == [30000, 32767, 30000]
    assert track[28000:28002] == b"\0\0"
    assert read_wav(wav(track, 8000), 8000) == track
    assert mp3([track], 8000)[0] == 0xFF
