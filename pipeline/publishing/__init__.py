"""MLflow: what files say, put together, and published so that publishing again changes nothing."""
