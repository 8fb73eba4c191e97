"""The servers that ours is compared with."""
