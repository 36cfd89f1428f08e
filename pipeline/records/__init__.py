"""What the workspace, commits, experiments and files record, read back; nothing is run for it."""
