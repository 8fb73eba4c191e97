"""What is wrong, judged once for the first line of every page, for alerts and for issues."""
