"""Publishes files to MLflow; the one folder that imports mlflow."""

SEEN_IN = "3.17"
"""The MLflow whose private parts are worked around: tables (`database`), names of pictures (`images`), the steps of
logging a model (`registry`), the view of runs and charts (`connection`), how long it answers (`failures`)."""
