"""The science of mnistgan: data, networks, training, metrics, pictures.

Nothing in here knows of MLflow, DVC, typer or the environment; ``pipeline/`` wires it to them.
"""
