"""Reports that leave the house: what became of a bot's streams, for whoever runs that bot."""
