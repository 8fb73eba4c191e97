"""What is to happen: flows, behaviours, their file and its lint."""
