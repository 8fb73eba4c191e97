"""Text to values and back: every `parse` has its `build`. No I/O."""
