"""DVC's queue of experiments: which seeds are wanted, and what waits, runs or failed."""
