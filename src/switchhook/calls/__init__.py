"""One call from all its sources: passthrus, callbacks, call details, heartbeats."""
