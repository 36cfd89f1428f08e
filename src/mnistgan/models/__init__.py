"""The networks, one file an architecture, and what turns their weights into images."""
