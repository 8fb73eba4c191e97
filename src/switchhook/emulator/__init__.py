"""A whole fake Exotel. It may call any server, so it shares only values and formats with ours.

Read it in this order:

- `plan`: what is. Accounts, numbers, callers and faults (`plan`), applets (`flow`), and every open
  question about Exotel, with our default (`behaviour`)
- `exchange`: accounts and calls (`exchange`), a call on its way through its flow (`flow_walk`), its
  passthrus (`requests`), whom it rings (`agents`, `people`), what is sent of it (`callbacks`,
  `heartbeats`), and who sees it all (`watcher`)
- `call`: one call (`call`), what a passthru says of it (`parameters`), what strikes it (`faults`),
  everything both sides said (`trace`), and that in words (`narration`)
- `stream`: its media. Setting a stream up (`setup`), an open one (`session`), what it sends
  (`sender`), what a bot does wrong (`violations`), how it ended (`outcome`); `sound`: what the
  caller says (`voice`), what the bot said and when it is heard (`playout`); `bot`: the built-in one
- `api`: what Exotel serves (`exotel_api`): whom it lets in (`admission`) or refuses (`refusal`),
  whom it is asked to call (`connecting`), what it tells of calls (`call_list`) and of numbers
  (`number_info`), its `recordings`; and our own `control`
- `net`: the world. What may be dialled (`addresses`), HTTP (`http_client`), and media connections
  (`media_link`), opened by `dialler`: over a socket (`websocket_link`) or in this process
  (`app_link`)
- `runs`: scenarios, load, replays, a server; `testing`: all of it inside a test
- time and chance: `clock` (real or virtual), `chance` (one seed)
"""

from importlib.util import find_spec

from switchhook.emulator.plan.flow import (
    Connect,
    Flow,
    Gather,
    Greeting,
    Hangup,
    Menu,
    Passthru,
    Stream,
    SwitchCase,
    Voicebot,
    Voicemail,
)
from switchhook.errors import ConfigError

__all__ = [
    "Connect",
    "Flow",
    "Gather",
    "Greeting",
    "Hangup",
    "Menu",
    "Passthru",
    "Stream",
    "SwitchCase",
    "Voicebot",
    "Voicemail",
]

if missing := [name for name in ("picows", "lameenc", "websockets") if find_spec(name) is None]:
    # A server is installed without what only this needs, so it is said before anything breaks.
    raise ConfigError(
        f"the emulator's packages are not installed: {', '.join(missing)}",
        hint='pip install "switchhook[emulator]"',
    )
