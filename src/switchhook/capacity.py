"""Streams in use and allowed, what is left, and when nothing will be."""
