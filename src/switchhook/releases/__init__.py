"""Versions of rules and pools: released, tried on the past, beside the present, and by degrees."""
