"""Two states of the pipeline compared: whether the one is better, from seeds and not from luck. No libraries at all."""
