"""A bot made with a published library that knows nothing of this emulator: Pipecat's."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import cast

import pytest
from pipecat.frames.frames import InputAudioRawFrame, InputDTMFFrame, OutputAudioRawFrame
from pipecat.processors.frame_processor import FrameProcessorSetup
from pipecat.serializers.exotel import ExotelFrameSerializer
from websockets.asyncio.server import serve

from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import VIRTUAL_START, Clock
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.plan.flow import Flow, Hangup, Voicebot
from switchhook.emulator.plan.plan import Account, Act, Caller, Number, Plan

NUMBER = "+918047112233"
ENOUGH = 40  # frames of 20 ms


class EchoBot:
    """What somebody writes who follows Pipecat's documentation."""

    def __init__(self, rate):
        self.rate = rate
        self.heard, self.digits = bytearray(), []

    async def __call__(self, socket):
        assert json.loads(await socket.recv())["event"] == "connected"
        start = json.loads(await socket.recv())["start"]
        self.start = start
        serializer = ExotelFrameSerializer(
            start["stream_sid"],
            start["call_sid"],
            ExotelFrameSerializer.InputParams(
                exotel_sample_rate=int(start["media_format"]["sample_rate"]),
                sample_rate=self.rate,
            ),
        )
        pipeline = SimpleNamespace(audio_in_sample_rate=self.rate)
        await serializer.setup(cast(FrameProcessorSetup, pipeline))
        async for message in socket:
            frame = await serializer.deserialize(message)
            if isinstance(frame, InputDTMFFrame):
                self.digits.append(frame.button.value)
            if isinstance(frame, InputAudioRawFrame):
                self.heard += frame.audio
                echo = OutputAudioRawFrame(frame.audio, frame.sample_rate, frame.num_channels)
                await socket.send(await serializer.serialize(echo))
                if len(self.heard) >= ENOUGH * self.rate // 50 * 2 and self.digits:
                    break


@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_pipecat_bot_holds_a_conversation(rate):
    bot = EchoBot(rate)

    async def main():
        async with serve(bot, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            url = f"ws://127.0.0.1:{port}/media?tier=gold&sample-rate={rate}"
            gate = AddressAllowList()
            web = Web(gate)
            plan = Plan(
                account={"acme": Account()},
                number={NUMBER: Number(account="acme", flow="f")},
                flow={
                    "f": Flow(
                        first="bot", applet={"bot": Voicebot(url=url, next="end"), "end": Hangup()}
                    )
                },
            )
            exchange = Exchange(
                plan,
                clock=Clock(asyncio.get_running_loop(), VIRTUAL_START),
                chance=Chance(1),
                web=web,
                dial=dialler(gate),
            )
            acts = (
                Act(at="bot", after_s=0.1, says="hello, is anybody there?"),
                Act(at="bot", after_s=0.3, presses="7"),
            )
            call = exchange.ring(NUMBER, Caller(patience_s=20, does=acts))
            await exchange.drain()
            await web.close()
            return call

    call = asyncio.run(main())
    assert (call.stream_outcome.status, call.stream_outcome.disconnected_by) == ("completed", "bot")
    assert bot.start["custom_parameters"] == {"tier": "gold"}
    assert bot.digits == ["7"]
    assert any(bot.heard)
    received = [entry for entry in call.trace.entries if entry["what"] == "received"]
    assert len(received) >= ENOUGH
    rules = {entry["rule"] for entry in call.trace.find("breach")}
    assert rules <= {"under-100-ms", "not-a-multiple-of-320"}, rules
