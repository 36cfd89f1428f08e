"""Export, publish or serve a trained model."""
