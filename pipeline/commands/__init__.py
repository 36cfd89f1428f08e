"""The commands of `python -m pipeline`, one a file; a folder is a group of them, its docstring the group's help."""
