"""A person's own images: a folder of pictures or arrays, read strictly and held to a list of digests."""
