"""Images measured by the rulers: the report of all metrics, the verdict, and the controls that both must see."""
