"""One call: what it is sent with, what happens to it, what is told of it."""
