"""A whole fake Exotel. It may call any server, so it shares only values and formats with ours.

Read it in this order:

- what is: `plan` (accounts, numbers, callers, faults), `flow` (applets), `behaviour` (every open
  question about Exotel, with our default), `faults` (which strike now)
- what a call does: `exchange` (accounts and calls), `call` (one call walking its flow),
  `parameters` (what a passthru says), `trace` (everything both sides said)
- time and chance: `clock` (real or virtual), `chance` (one seed)
- the world: `addresses` (what may be dialled), `web` (HTTP), `link` (WebSockets)
"""
