"""Publishes files to MLflow; the one folder that imports mlflow."""

SEEN_IN = "3.17"
"""The MLflow whose private parts are worked around: tables (`relocation`, `database`), names of pictures (`images`),
the steps of logging a model (`models`), the view of the runs' table (`pages`), how long it answers (`patience`)."""
