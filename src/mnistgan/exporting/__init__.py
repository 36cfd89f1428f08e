"""A network that draws, as a file that runs without this project, and whether that draws the same."""
