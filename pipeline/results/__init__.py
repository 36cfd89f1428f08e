"""Recorded results, read back wherever they lie."""
