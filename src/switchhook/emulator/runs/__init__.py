"""Ways to run it: scenarios, load, replays, a server."""
