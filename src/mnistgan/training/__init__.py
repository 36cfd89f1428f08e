"""The loop, the step, and all that a training carries from one step to the next."""
