"""Failures of one kind as one issue: open, acknowledged, resolved, and open again."""
