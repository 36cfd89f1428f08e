"""What names a pipeline state, and what is kept of its runs beside DVC's outs."""
