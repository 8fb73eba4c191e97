"""The built-in bot: it answers a Voicebot applet with speech-like sounds, or misbehaves on demand.

It is a bare ASGI app for a WebSocket, run by `serving` or called in-process. It knows no time but
the event loop's and no chance at all: the same call gets the same bytes. What it can be asked for
stands in `script.py`.
"""

from switchhook.emulator.bot.app import make_bot
from switchhook.emulator.bot.script import BotScript, ScriptRefusal, read_script

__all__ = ["BotScript", "ScriptRefusal", "make_bot", "read_script"]
