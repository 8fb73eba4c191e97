"""What machines read of us: metrics and traces."""
