"""Compares two measured results: whether one is better by more than chance. Imports no library at all."""
