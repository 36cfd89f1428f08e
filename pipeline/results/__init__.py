"""Reads recorded results, wherever they lie."""
