"""Metrics of generated digits: one metric a file, in NumPy alone, computed from features, probabilities or pixels.

Every function checks what it is given and raises :class:`mnistgan.errors.MetricError` where it can't give a value
that means something: too few samples for the dimension or for k, NaN, features that never vary.
"""
