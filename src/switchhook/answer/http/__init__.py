"""HTTP/1.1 as the public port speaks it."""
