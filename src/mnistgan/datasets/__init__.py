"""Data sets: where their images come from, how they are read, checked and split."""
