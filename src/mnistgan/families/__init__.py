"""Families of generative models, one folder each."""
