"""Promises: callers whom a stream failed are called back, once, when allowed."""
