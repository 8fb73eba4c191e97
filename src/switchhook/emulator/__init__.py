"""A whole fake Exotel. It may call any server, so it shares only values and formats with ours.

Read it in this order:

- what is: `plan` (accounts, numbers, callers, faults), `flow` (applets), `behaviour` (every open
  question about Exotel, with our default), `faults` (which strike now)
- what a call does: `exchange` (accounts and calls), `call` (one call walking its flow), `requests`
  (its passthrus), `agents` (whom it rings), `parameters` (what a passthru says), `trace`
  (everything both sides said)
- its media: `streaming` (setting streams up), `streams` (one of them), `voice` (what the caller
  says), `playout` (what the bot said and when it is heard), `recording`, `bot` (the built-in one)
- what Exotel serves and sends: `rest`, `callbacks`, `heartbeats`; and our own `control`
- time and chance: `clock` (real or virtual), `chance` (one seed)
- the world: `addresses` (what may be dialled), `web` (HTTP), `link` (WebSockets)
"""

from importlib.util import find_spec

from switchhook.errors import ConfigError

if missing := [name for name in ("picows", "lameenc", "websockets") if find_spec(name) is None]:
    # A server is installed without what only this needs, so it is said before anything breaks.
    raise ConfigError(
        f"the emulator's packages are not installed: {', '.join(missing)}",
        hint='pip install "switchhook[emulator]"',
    )
