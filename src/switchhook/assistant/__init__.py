"""What an operator's assistant may ask: read-only, masked, bounded; callers' texts are data."""
