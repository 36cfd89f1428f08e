"""What tests of the networks share."""

from pipeline.runtime import load_tensorflow

load_tensorflow(verbose=False, threads=2)  # before any test starts it with other threads
