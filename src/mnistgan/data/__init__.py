"""MNIST as arrays: parsed strictly, split, saved, and drawn in batches."""
