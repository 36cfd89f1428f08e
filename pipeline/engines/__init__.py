"""Runs experiments."""
