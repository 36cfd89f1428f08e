"""Draws results: grids, pictures and the report."""
