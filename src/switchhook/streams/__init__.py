"""What became of streams: stories, search, issues, exports, and their pages and API."""
