"""Publishes files to MLflow; the one folder that imports mlflow."""
