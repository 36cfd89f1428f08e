"""Names a state of the pipeline by keys, and keeps its journal, checkpoints and patch beside DVC's outs."""
