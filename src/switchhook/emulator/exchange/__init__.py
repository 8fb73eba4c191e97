"""What joins calls: flows, agents, requests, callbacks, heartbeats."""
