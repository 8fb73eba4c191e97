"""How long a test waits for what it is sure of."""

PATIENCE_S = 120.0
"""A test that passes never waits so long: it is for a machine that many others use as well."""
