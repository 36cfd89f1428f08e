"""The commands of `python -m pipeline`, one a file."""
