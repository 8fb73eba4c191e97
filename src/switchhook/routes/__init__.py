"""Pools of bots: what people set by hand, how the members are, and which get calls."""
