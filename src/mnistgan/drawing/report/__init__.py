"""A comparison as one page: what is drawn and where, as plain Python, for a template that writes it as HTML."""
