"""Reads dvc.yaml, dvc.lock, digests, DVC's cache and git, as they are on disk."""
