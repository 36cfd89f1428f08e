"""The science of mnistgan: families of models, data sets, training, rulers, metrics, comparison, drawing.

Nothing in here knows of MLflow, DVC, typer or the environment; ``pipeline/`` wires it to them.
"""
