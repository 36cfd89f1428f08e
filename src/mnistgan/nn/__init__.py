"""Layers, weights and optimizers that families share."""
