"""Failures, grouped so that they can be acknowledged and resolved."""
