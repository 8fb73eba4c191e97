"""Flags: what people set them to, who reads them, and how bots are told."""
