"""Trains a model: the loop, checkpoints, the average of weights, and looks at validation."""
