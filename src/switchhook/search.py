"""What people type to find streams: `cause:throttled from:98765 since:2h !bot:a.example`."""
