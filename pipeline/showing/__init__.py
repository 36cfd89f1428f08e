"""What commands that compare show: tables, Markdown, JSON, and the exhibits of a report."""
