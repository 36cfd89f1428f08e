"""Draws pictures of a generator: sheets of digits, curves and an animation, from arrays to bytes."""
