"""How long things stay: retention, erasure of a number, backup, and their API."""
